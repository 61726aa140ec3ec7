"""Servers that people run, with records of a known number: apps.py NAME PORT. Each is the package's own way of doing
pages and limits, and nothing of ours but the records: {"id": i, "name": "item i"}."""
import json
import sys

COUNT = 5003


def record(i):
    return {"id": i, "name": f"item {i}"}


def drf():
    """Django REST Framework: pages by number, by offset and by cursor, from SQLite."""
    import os
    import tempfile

    import django
    from django.conf import settings
    file = os.path.join(tempfile.mkdtemp(), "drf.sqlite3")
    settings.configure(
        DEBUG=False, ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="of no use", DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": file}},
        INSTALLED_APPS=["rest_framework"], REST_FRAMEWORK={"UNAUTHENTICATED_USER": None, "DEFAULT_AUTHENTICATION_CLASSES": []})
    django.setup()
    from django.core.wsgi import get_wsgi_application
    from django.db import connection, models
    from django.urls import path
    from rest_framework import generics, pagination, serializers

    class Item(models.Model):
        name = models.TextField()

        class Meta:
            app_label = "rest_framework"

    with connection.schema_editor() as editor:
        editor.create_model(Item)
    Item.objects.bulk_create([Item(**record(i)) for i in range(1, COUNT + 1)])

    class Items(serializers.ModelSerializer):
        class Meta:
            model = Item
            fields = ["id", "name"]

    def view(kind, **more):
        paging = type("Paging", (kind,), {"page_size": 100, "default_limit": 100, "ordering": "id", **more})
        made = type("View", (generics.ListAPIView,), {
            "queryset": Item.objects.order_by("id"), "serializer_class": Items, "pagination_class": paging})
        return made.as_view()

    globals()["urlpatterns"] = [
        path("number/", view(pagination.PageNumberPagination)),
        path("offset/", view(pagination.LimitOffsetPagination)),
        path("cursor/", view(pagination.CursorPagination)),
    ]
    return get_wsgi_application()


def slow():
    """FastAPI: an item in 100 ms, with slowapi's limit of 100 a second on one of two paths."""
    import asyncio

    from fastapi import FastAPI, Request
    from slowapi import Limiter, _rate_limit_exceeded_handler
    from slowapi.errors import RateLimitExceeded
    from slowapi.util import get_remote_address
    limiter = Limiter(key_func=get_remote_address, headers_enabled=False)
    app = FastAPI()
    app.state.limiter = limiter
    app.add_exception_handler(RateLimitExceeded, _rate_limit_exceeded_handler)

    @app.get("/slow/{i}")
    async def slow_item(i: int):
        await asyncio.sleep(0.1)
        return [record(i)]

    @app.get("/limited/{i}")
    @limiter.shared_limit("100/second", scope="all")
    async def limited_item(request: Request, i: int):
        return [record(i)]

    return app


def graphql():
    """Strawberry: a connection as Relay has it."""
    import typing

    import strawberry
    from fastapi import FastAPI
    from strawberry import relay
    from strawberry.fastapi import GraphQLRouter

    @strawberry.type
    class Item(relay.Node):
        id: relay.NodeID[int]
        number: int
        name: str

    @strawberry.type
    class Query:
        @relay.connection(relay.ListConnection[Item])
        def items(self) -> typing.Iterable[Item]:
            return [Item(id=i, number=i, name=f"item {i}") for i in range(1, COUNT + 1)]

    app = FastAPI()
    app.include_router(GraphQLRouter(strawberry.Schema(query=Query)), prefix="/graphql")
    return app


def odata():
    """An OData 4 service by odatapy, modelled on Olingo."""
    from odatapy.data import Entity, ValueType
    from odatapy.edm.csdl import (CsdlAbstractEdmProvider, CsdlEntityContainer, CsdlEntitySet, CsdlEntityType, CsdlProperty,
                                  CsdlPropertyRef, CsdlSchema)
    from odatapy.server import OData
    from odatapy.server.adapters import ODataWSGIApp
    from odatapy.server.inmemory import InMemoryDataStore, InMemoryProcessor

    class Provider(CsdlAbstractEdmProvider):
        def get_schemas(self):
            item = CsdlEntityType(name="Item", key=[CsdlPropertyRef(name="id")], properties=[
                CsdlProperty(name="id", type="Edm.Int32", nullable=False), CsdlProperty(name="name", type="Edm.String")])
            container = CsdlEntityContainer(name="Container", entity_sets=[CsdlEntitySet(name="Items", type="Demo.Item")])
            return [CsdlSchema(namespace="Demo", entity_types=[item], entity_container=container)]

    service = OData.new_instance()
    handler = service.create_handler(service.create_service_metadata(Provider()))
    store, items = InMemoryDataStore(), []
    for i in range(1, COUNT + 1):
        item = Entity()
        item.set_property("id", i, ValueType.PRIMITIVE, "Edm.Int32")
        item.set_property("name", f"item {i}", ValueType.PRIMITIVE, "Edm.String")
        items.append(item)
    store.set_entities("Items", items)
    handler.register(InMemoryProcessor(store))
    return ODataWSGIApp(handler)


def main():
    name, port = sys.argv[1], int(sys.argv[2])
    app = globals()[name]()
    if name in ("slow", "graphql"):
        import uvicorn
        uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")
        return
    import socketserver
    from wsgiref import simple_server

    class Server(socketserver.ThreadingMixIn, simple_server.WSGIServer):
        daemon_threads = True

    class Quiet(simple_server.WSGIRequestHandler):
        def log_message(self, *_):
            pass

    simple_server.make_server("127.0.0.1", port, app, Server, Quiet).serve_forever()


if __name__ == "__main__":
    main()
