"""Part of the page about consent: the printed forms of a course, made from its course file."""

from __future__ import annotations

import streamlit as st

from consent.course import EXAMPLE, MOST_BYTES, parse_course
from consent.errors import ConsentError
from consent.form_content import form_grade
from consent.form_texts import Kind, languages
from consent.forms import PAPERS, form_name, form_pdf
from dashboard import texts
from dashboard.texts import consent as words

_EXAMPLE_NAME = "course.yaml"


def show(course: str) -> None:
    """Make the forms from the example, or from a file of the visitor's, and give them to download."""
    st.markdown(words.FORMS_HELP)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        content = _course_file(course)
    with right:
        spoken = languages()
        english = spoken.index("en")
        language = st.selectbox(words.LANGUAGE, spoken, english, format_func=lambda one: words.LANGUAGES.get(one, one))
        paper = st.selectbox(words.PAPER, list(PAPERS), format_func=lambda one: words.PAPERS.get(one, one))
        st.download_button(
            words.DOWNLOAD_FILE, content, _EXAMPLE_NAME, "application/yaml", on_click="ignore", icon=":material/save:"
        )
        if st.button(words.MAKE_FORMS, type="primary"):
            _forms(content, language, paper)


def _course_file(course: str) -> str:
    """The course file as it stands in the box: the example with the course's name, or what was dropped."""
    own = st.file_uploader(words.OWN_FILE, type=["yaml", "yml"], max_upload_size=1)
    given = _example(course)
    if own is not None and own.size <= MOST_BYTES:
        given = own.getvalue().decode("utf-8", "replace")
    elif own is not None:
        st.error(texts.plain(words.TOO_LARGE.format(name=texts.shortened(own.name), most=MOST_BYTES // 1000)))
    key = f"course file {'of ' + course if own is None else own.file_id}"
    return st.text_area(words.COURSE_FILE, given, height=420, max_chars=MOST_BYTES, key=key)


def _example(course: str) -> str:
    """The example with the name of this course, in quotes of YAML, whatever it holds."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    quoted = '"' + texts.shortened(course, 60).replace("\\", "\\\\").replace('"', '\\"') + '"'
    return "\n".join(f"course: {quoted}" if line.startswith("course:") else line for line in lines)


def _forms(content: str, language: str, paper: str) -> None:
    try:
        facts = parse_course(content.encode(), words.COURSE_FILE)
        made = [(kind, form_pdf(facts, kind, language, paper), form_grade(facts, kind, language)) for kind in Kind]
    except ConsentError as error:
        st.error(texts.plain(str(error)))
        return
    for kind, pdf, grade in made:
        name = form_name(facts, kind, language, paper)
        st.download_button(
            words.KINDS[kind.value],
            pdf,
            name,
            "application/pdf",
            on_click="ignore",
            icon=":material/download:",
            help=None if grade is None else words.GRADE.format(grade=f"{grade:.1f}"),
            width="stretch",
        )
