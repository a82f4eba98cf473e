"""Streamlit pages over finished sessions: thin, no arithmetic of their own."""
