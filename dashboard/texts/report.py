"""Words of the page of reports."""

from __future__ import annotations

PREVIEW = "Report"
COMPARE = "Compare two lectures"
PAGE = "Page {page} of {pages}"
NO_PAGES = "There is no report of this lecture yet."
DAMAGED = "The report can not be shown, it is damaged ({error}). Write it again."
WRITE = "Write the report"
WRITE_TITLE = "Report of {lecture}"
WRITING = "It is being written; see Lectures for how far it is."
ASK_FOR_IT = "Somebody who may change records can write it."

DOWNLOAD_PDF = "PDF"
DOWNLOAD_HTML = "HTML"
DOWNLOAD_CSV = "Tables, CSV"
DOWNLOAD_XLSX = "Tables, Excel"
HTML_HELP = "The report as one file for the browser; it takes some seconds to make."
TABLES_HELP = "All numbers of the report, with a dictionary that explains every column."
STUDENTS_HELP = " Rows of single students are among them; that you took them is noted."
CLASS_HELP = " Rows of single students are left out."

OTHER = "With which lecture?"
NO_OTHER = "There is no other lecture to compare with."
MAKING = "Comparing the two lectures"
A_AND_B = "A is {first}, B is {second}."
