"""Writes the workbooks of these tests: pip install openpyxl odfpy xlwt pandas."""

import datetime as d
import zipfile
import openpyxl
import pandas
import xlwt

book = openpyxl.Workbook()
hidden = book.active
hidden.title = "notes"
hidden.append(["nothing", "to see"])
hidden.sheet_state = "hidden"
sheet = book.create_sheet("Umsätze 2026")
sheet.append(["Report of the night"])
sheet.append([])
sheet.append(["id", "code", "price", "on", "at", "clock", "took", "paid", None, "note", "note"])
sheet.append([1, "007", 0.1, d.date(2026, 11, 30), d.datetime(2026, 11, 30, 12, 34, 56), d.time(18, 30), d.timedelta(hours=36, seconds=1.5), True, None, "a\nb", "x"])
sheet.append([2, "é", 1234567890.125, d.date(1900, 3, 1), d.datetime(1999, 12, 31, 23, 59, 59, 500000), d.time(0, 0), d.timedelta(0), False, 7, "", None])
sheet.append([])
sheet.append([4, None, 3.0, None, None, None, None, None, None, None, None])
sheet.append([5, "bad", "#N/A", None, None, None, None, None, None, None, None])
sheet["C8"].data_type = "e"
sheet.append([6, "last", 1e300, None, None, None, None, None, None, None, None])
sheet.merge_cells("J9:K9")
for row in sheet.iter_rows(min_row=4):
    row[6].number_format = "[hh]:mm:ss.000"
second = book.create_sheet("other")
second["B2"] = "key"
second["C2"] = "value"
second["D2"] = "apart"
for i in range(3):
    second.cell(3 + i, 2, i)
    second.cell(3 + i, 3, f"v{i}")
    second.cell(3 + i, 4, "not wanted")
book.save("types.xlsx")

book = openpyxl.Workbook()
book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
book.active.append(["id", "on"])
book.active.append([1, d.date(2026, 11, 30)])
book.save("1904.xlsx")

book = openpyxl.Workbook(write_only=True)
sheet = book.create_sheet("many")
sheet.append(["id", "v"])
for i in range(20_000):
    sheet.append([i, f"value {i % 100}"])
book.save("many.xlsx")

book = openpyxl.Workbook()
book.active.append(["id", "v"])
book.active.append([1, "in"])
for i in range(60):
    book.active.append([2 + i, "in"])
book.active.append([100, "in", "out"])
book.save("beside.xlsx")

book = openpyxl.Workbook()
for i in range(60):
    book.active.cell(2 + i, 2, i)
    book.active.cell(2 + i, 3, "in")
book.active["B1"], book.active["C1"], book.active["A61"] = "id", "v", "out"
book.save("left.xlsx")

with zipfile.ZipFile("left.xlsx") as old, zipfile.ZipFile("far.xlsx", "w", zipfile.ZIP_DEFLATED) as far:
    for name in old.namelist():
        far.writestr(name, old.read(name).replace(b'r="C2"', b'r="ZZZZZZ2"'))

book = openpyxl.Workbook()
book.active.append(["id", "v"])
book.active.append(["#DIV/0!", "x"])
book.active["A2"].data_type = "e"
book.save("failed.xlsx")

frame = pandas.DataFrame({"id": [1, 2], "v": ["a", None], "n": [1.5, 2.0], "on": [d.date(2026, 11, 30), d.date(2024, 2, 29)], "ok": [True, False]})
frame.to_excel("frame.ods", index=False, engine="odf")
book = xlwt.Workbook()
sheet = book.add_sheet("old")
style = xlwt.easyxf(num_format_str="YYYY-MM-DD")
for at, name in enumerate(["id", "v", "n", "on", "ok"]):
    sheet.write(0, at, name)
for row, values in enumerate([(1, "a", 1.5, d.date(2026, 11, 30), True), (2, None, 2.0, d.date(2024, 2, 29), False)]):
    for at, value in enumerate(values):
        if value is not None:
            sheet.write(row + 1, at, value, *([style] if at == 3 else []))
book.save("frame.xls")
