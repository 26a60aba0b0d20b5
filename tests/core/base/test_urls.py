"""A password is shown nowhere, wherever it stands in a URL; what is no password stays as it was typed."""

from __future__ import annotations

import pytest

from layerwise.core.base.urls import hide_passwords, show_database

LEAKING = [
    "postgresql://me:S3cr3tPw@host:5432/db",
    "postgresql:///db?host=h&user=me&password=S3cr3tPw",
    "postgresql://me@h/db?PassWord=S3cr3tPw&sslmode=require",
    "postgresql://me@h/db?p%61ssword=S3cr3tPw",
    "postgresql://me@h/db?sslpassword=S3cr3tPw",
    "postgresql://me:S3cr3tPw/db",
    "postgresql://me:a/S3cr3tPw@h/db",
    "--db=postgresql:///db?password=S3cr3tPw",
    "cannot connect with host=h user=me password=S3cr3tPw",
    "password = 'S3cr3tPw and more'",
    "git+https://me:S3cr3tPw@example.org/x",
    "https://example.org/x.whl?access_token=S3cr3tPw",
]
HARMLESS = [
    "postgresql://me@host:5432/name",
    "postgresql://host:5432/name?sslmode=require&application_name=x",
    "http://127.0.0.1:8000/",
    "http://127.0.0.1:8000",
    "sqlite:///folder/a:b@c.db",
    "torch:small:Inception@mean=0.4/0.5,std=1",
    "run m --tag kind=photo@2x --stimuli a:b",
]


@pytest.mark.parametrize("text", LEAKING)
def test_a_password_is_hidden_and_the_rest_is_not(text: str) -> None:
    shown = hide_passwords(text)
    assert "S3cr3tPw" not in shown
    assert "***" in shown
    assert hide_passwords(shown) == shown


@pytest.mark.parametrize("text", HARMLESS)
def test_what_holds_no_password_stays_as_it_is(text: str) -> None:
    assert hide_passwords(text) == text


@pytest.mark.parametrize("text", ["x:S3cr3tPw@y", "postgresql//me:S3cr3tPw@h/x", "me:S3cr3tPw@h/db", *LEAKING])
def test_what_was_meant_as_a_database_hides_more(text: str) -> None:
    assert "S3cr3tPw" not in show_database(text)
