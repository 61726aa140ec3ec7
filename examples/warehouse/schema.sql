CREATE TABLE customers (
    id         bigint PRIMARY KEY,
    name       text NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE products (
    id    bigint PRIMARY KEY,
    name  text NOT NULL,
    price numeric(10, 2) NOT NULL
);

CREATE TABLE orders (
    id          text PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customers,
    at          timestamptz NOT NULL,
    total       numeric(12, 2) NOT NULL
);

CREATE TABLE order_items (
    order_id   text NOT NULL REFERENCES orders,
    line       int NOT NULL,
    product_id bigint NOT NULL REFERENCES products,
    quantity   int NOT NULL,
    PRIMARY KEY (order_id, line)
);
