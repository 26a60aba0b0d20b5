"""What a program in a file could do besides computing, seen in the archive before PyTorch reads it.

A TorchScript file is source code, of which parts run when it is loaded; a `torch.export` file names the function of
each step, may hold pickled things beside the program, and text that PyTorch evaluates. What may be called are
PyTorch's own namespaces of operations, less those that read or write files.
"""

from __future__ import annotations

import builtins
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

_LONGEST = 2**28
_COMPUTING = frozenset(
    {
        "aten",
        "prim",
        "prims",
        "quantized",
        "_quantized",
        "sparse",
        "mkldnn",
        "mkldnn_prepacked",
        "onednn",
        "torchvision",
        "torchaudio",
    }
)
_ACTING = frozenset(
    {"from_file", "save", "_print", "rpc_async", "rpc_sync", "rpc_remote", "PythonOp", "IgnoredPythonOp"}
)
_HIGHER_ORDER = frozenset(
    {
        "cond",
        "while_loop",
        "map_impl",
        "scan",
        "associative_scan",
        "wrap_with_set_grad_enabled",
        "wrap_with_autocast",
        "auto_functionalized",
        "auto_functionalized_v2",
        "invoke_subgraph",
        "flex_attention",
    }
)
_OPERATORS = frozenset(
    {
        "add",
        "sub",
        "mul",
        "floordiv",
        "truediv",
        "mod",
        "pow",
        "neg",
        "pos",
        "abs",
        "lt",
        "le",
        "gt",
        "ge",
        "eq",
        "ne",
        "and_",
        "or_",
        "xor",
        "not_",
        "getitem",
    }
)
_CALL = re.compile(r"(?<![\w.])(torch|ops\s*\.\s*\w+|__torch__\s*\.\s*torch\s*\.\s*classes)\s*\.\s*(\w+)")
_COMMENT = re.compile(r"#[^\n]*")
_HARMLESS = frozenset({"max", "min", "abs", "pow", "round", "divmod", "sum"})
_SYMBOL = re.compile(r"Symbol\('\w+'(, \w+=(True|False))*\)")
_PICKLED_NAMES = re.compile(r"/(custom_obj|opaque_obj)_\d+$|/constants/(?!tensor_|model_|\w*_constants_config)\w+$")


def find_script_code(path: Path) -> str:
    """What a TorchScript file calls that may do more than compute; empty where there is nothing."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if "/code/" in member.filename and member.filename.endswith(".py"):
                if member.file_size > _LONGEST:
                    return f"more than {_LONGEST} bytes of code"
                found = find_calls(archive.read(member).decode("utf-8", "replace"))
                if found:
                    return found
    return ""


def find_calls(code: str) -> str:
    """The first operation in TorchScript's code that may do more than compute."""
    for text in (code, _COMMENT.sub(" ", code)):
        for place, name in _CALL.findall(text):
            words = [word.strip() for word in place.split(".")]
            if words[0] == "__torch__" or name in _ACTING or (words[0] == "ops" and words[1] not in _COMPUTING):
                return ".".join([*words, name])
    return ""


def find_code(path: Path) -> str:
    """What in an exported program's file could run code when it is loaded, in words; empty where nothing could."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if _PICKLED_NAMES.search(member.filename):
                return "a pickled object"
            if member.filename.endswith(".json"):
                if member.file_size > _LONGEST:
                    return f"more than {_LONGEST} bytes of program"
                problem = _find_code_in(_read_json(archive, member.filename))
                if problem:
                    return problem
    return ""


def _read_json(archive: zipfile.ZipFile, name: str) -> object:
    try:
        content: object = json.loads(archive.read(name))
    except (ValueError, RecursionError):
        return None
    return content


def _find_code_in(content: object) -> str:
    return next(filter(None, map(_find_code_here, _walk(content))), "")


def _walk(content: object) -> Iterator[dict[str, object]]:
    waiting = [content]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield part
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)


def _find_code_here(part: dict[str, object]) -> str:
    if part.get("use_pickle"):
        return "pickled tensors"
    if not is_plain_expression(part.get("expr_str", "")):
        return "a size that is no formula"
    target = part.get("target")
    if "inputs" in part and "outputs" in part and isinstance(target, str) and not is_computing(target):
        return f"a call of {target[:80]}"
    return ""


def is_computing(target: str) -> bool:
    """Whether the function of a step, as an exported program names it, only computes."""
    words = target.split(".")
    if words[:2] == ["torch", "ops"] and len(words) in (4, 5):
        if words[2] == "higher_order":
            return words[3] in _HIGHER_ORDER
        return words[2] in _COMPUTING and words[3] not in _ACTING
    if len(words) != 2:
        return False
    module, name = words
    return (
        (module in ("_operator", "operator") and name in _OPERATORS)
        or (module == "math" and not name.startswith("_"))
        or (module == "torch" and name.startswith(("sym_", "_sym_")))
    )


def is_plain_expression(text: object) -> bool:
    """Whether a size is a formula of names, numbers and plain functions; PyTorch evaluates it as Python code."""
    if not isinstance(text, str):
        return False
    text = _SYMBOL.sub("s", text)
    words = set(re.findall(r"[A-Za-z_]\w*", text))
    no_attributes = "__" not in text and not re.search(r"\.\s*[A-Za-z_]|[\[\]{}\"'`;:\\]", text)
    return no_attributes and not any(hasattr(builtins, word) and word not in _HARMLESS | {"True"} for word in words)
