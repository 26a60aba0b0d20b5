import pytest

from layerwise.cli.options.common import database_option, parse_feed, parse_size, parse_tags, split_pairs
from layerwise.cli.output import choose_columns
from layerwise.cli.session import database_url
from layerwise.core.base.errors import InputError
from layerwise.core.base.urls import hide_passwords


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [
        ("1GiB", 2**30),
        ("512MiB", 2**29),
        ("2GB", 2 * 10**9),
        ("1.5 gib", 3 * 2**29),
        ("1000000", 10**6),
        ("64kib", 2**16),
        ("7b", 7),
    ],
)
def test_sizes_are_read_as_people_write_them(text, n_bytes):
    assert parse_size(text, "--memory") == n_bytes


@pytest.mark.parametrize("text", ["", "GiB", "-1GiB", "0", "1 GiBB", "1e9", "one"])
def test_what_is_no_size_is_refused_with_the_option_s_name(text):
    with pytest.raises(InputError, match="--memory"):
        parse_size(text, "--memory")


def test_a_history_is_a_url_or_a_path():
    assert database_url("postgresql://host/name") == "postgresql://host/name"
    assert database_url("some/file.db") == "sqlite:///some/file.db"


def test_commands_printed_for_the_user_name_the_history_only_where_needed(monkeypatch):
    monkeypatch.delenv("LAYERWISE_DB", raising=False)
    assert database_option("sqlite:///layerwise.db") == ""
    assert database_option("my file.db") == " --db 'my file.db'"
    monkeypatch.setenv("LAYERWISE_DB", "my file.db")
    assert database_option("my file.db") == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("run m --db postgresql://me:s3cret@host/name", "run m --db postgresql://me:***@host/name"),
        ("postgresql+psycopg://me:a:b@host:5432/name?x=1", "postgresql+psycopg://me:***@host:5432/name?x=1"),
        ("postgresql://me@host:5432/name", "postgresql://me@host:5432/name"),
        ("sqlite:///folder/a:b@c.db", "sqlite:///folder/a:b@c.db"),
    ],
)
def test_passwords_are_neither_kept_nor_shown(text, shown):
    assert hide_passwords(text) == shown


def test_a_table_does_without_empty_columns_and_without_spare_ones_where_it_is_too_wide():
    heads, rows = ("run", "tags", "took", "layers"), [("ab12", "", "3 s", 5), ("cd34", None, "4 s", 6)]
    assert choose_columns(heads, rows, 80, ("took",)) == (
        ["run", "took", "layers"],
        [["ab12", "3 s", 5], ["cd34", "4 s", 6]],
    )
    assert choose_columns(heads, rows, 12, ("took", "run")) == (["run", "layers"], [["ab12", 5], ["cd34", 6]])
    assert choose_columns(heads, rows, 1, ("took", "gone")) == (["run", "layers"], [["ab12", 5], ["cd34", 6]])


def test_pairs_may_be_repeated_or_have_commas_and_so_may_their_values():
    assert split_pairs(["a=1,b=2", "c=3"]) == ["a=1", "b=2", "c=3"]
    assert split_pairs(["ablated=mixed1/5x5, mixed2/5x5"]) == ["ablated=mixed1/5x5, mixed2/5x5"]
    assert parse_tags(["lab=one,two", "x=1,y=2"]) == {"lab": "one,two", "x": "1", "y": "2"}
    assert parse_feed(["keep_prob=1,training=false"]) == (("keep_prob", 1.0), ("training", 0.0))
