"""House rules no linter knows: sizes, docstrings, clocks, marks, and what money is made of."""

import ast
import io
import re
import tokenize

from tests.house import Source, dotted, functions, imports, sources

SOURCE_LINES_MAX = 450
TEST_LINES_MAX = 700  # a table of cases is long without being deep
FUNCTION_LINES_MAX = 70

# What may be called only in the one file that is its room.
ROOM_OF_CALL = {
    "time.time": "bot/shell/clock.py",
    "time.time_ns": "bot/shell/clock.py",
    "time.monotonic": "bot/shell/clock.py",
    "time.monotonic_ns": "bot/shell/clock.py",
    "time.perf_counter": "bot/shell/clock.py",
    "time.perf_counter_ns": "bot/shell/clock.py",
    "time.sleep": "bot/shell/clock.py",
    "asyncio.sleep": "bot/shell/clock.py",
    "datetime.now": "bot/shell/clock.py",
    "datetime.datetime.now": "bot/shell/clock.py",
    "datetime.utcnow": "bot/shell/clock.py",
    "datetime.today": "bot/shell/clock.py",
    "date.today": "bot/shell/clock.py",
    "os.environ": "bot/settings.py",
    "os.getenv": "bot/settings.py",
    "uuid.uuid1": "",
    "uuid.uuid4": "",
    "uuid4": "",
    "random.random": "",
    "random.seed": "",
    "random.choice": "",
    "random.choices": "",
    "random.randint": "",
    "random.randrange": "",
    "random.uniform": "",
    "random.gauss": "",
    "random.shuffle": "",
    "random.sample": "",
}

# Where everything may be caught, and why. Each is an outermost task or a call whose failure must
# never reach a trade; anything else names what it expects.
BROAD_EXCEPT_ALLOWED = {
    "bot/app.py": "the outermost task: says what broke, leaves stops on the exchange, exits",
    "bot/shell/engine.py": "the engine's own task: a fault stops the desk, never silently",
    "bot/shell/strategy_book.py": "somebody else's strategy may raise anything; it alone is off",
    "bot/shell/jobs.py": "a failed housekeeping job must not end the scheduler",
    "bot/control/outbox.py": "a message that cannot be sent never stops a trade",
    "bot/control/telegram.py": "a malformed update is counted and dropped, never an order",
    "bot/advisor/gemini.py": "any doubt about the model is an abstention",
}

SILENCED_WITH_REASON = re.compile(r"# noqa: [A-Z]+[0-9]+(, [A-Z]+[0-9]+)*\W+\w+ \w+")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def test_files_are_of_a_size_to_read() -> None:
    """No source file is longer than a person reads in one sitting; split by idea instead."""
    limits = {"tests": TEST_LINES_MAX}
    found = [
        f"{source.path}: {lines} lines"
        for source in _everything()
        if (lines := source.text.count("\n"))
        > limits.get(source.path.split("/")[0], SOURCE_LINES_MAX)
    ]
    assert not found, found


def test_functions_fit_on_a_screen() -> None:
    """No function of the product is longer than a screen."""
    found = [
        f"{source.path}:{function.lineno} {function.name}: {lines} lines"
        for source in sources()
        for function in functions(source.tree)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES_MAX
    ]
    assert not found, found


def test_every_module_says_what_it_is_for() -> None:
    """Every module, tests included, starts with a docstring."""
    found = [source.path for source in _everything() if not ast.get_docstring(source.tree)]
    assert not found, found


def test_packages_hold_a_docstring_only() -> None:
    """`__init__.py` wires nothing and re-exports nothing: importing a room has no side effect."""
    found = [
        source.path
        for source in sources()
        if source.path.endswith("__init__.py") and len(source.tree.body) != 1
    ]
    assert not found, found


def test_every_public_function_has_a_docstring() -> None:
    """Public functions and methods say what their types cannot; private ones need not."""
    found = [
        f"{source.path}:{function.lineno} {function.name}"
        for source in sources()
        for function in _public(source.tree)
        if not ast.get_docstring(function)
    ]
    assert not found, found


def test_every_test_states_its_property() -> None:
    """Each test has a docstring: the sentence that is true as long as it passes."""
    found = [
        f"{source.path}:{function.lineno} {function.name}"
        for source in sources("tests")
        for function in functions(source.tree)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert not found, found


def test_nothing_is_left_unfinished() -> None:
    """No comment promises later work: it is done, or it is an issue."""
    found = [
        f"{source.path}:{token.start[0]} {token.string.strip()}"
        for source in _everything()
        for token in tokenize.generate_tokens(io.StringIO(source.text).readline)
        if token.type == tokenize.COMMENT and UNFINISHED.search(token.string)
    ]
    found += [
        f"{source.path}:{node.lineno} NotImplementedError"
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Raise) and node.exc and "NotImplemented" in ast.unparse(node.exc)
    ]
    assert not found, found


def test_a_silenced_rule_says_why() -> None:
    """`noqa` names its rule and gives a reason on the same line; nothing is silenced wholesale."""
    found = [
        f"{source.path}:{token.start[0]} {token.string}"
        for source in _everything()
        for token in tokenize.generate_tokens(io.StringIO(source.text).readline)
        if token.type == tokenize.COMMENT and "noqa" in token.string
        if not SILENCED_WITH_REASON.search(token.string)
    ]
    assert not found, found


def test_time_chance_and_environment_stay_in_their_rooms() -> None:
    """Only the clock reads time, only settings the environment; nobody rolls global dice."""
    found = [
        f"{source.path}:{node.lineno} {name}"
        for source in sources()
        for node, name in _watched_names(source.tree)
        if source.path != ROOM_OF_CALL[name]
    ]
    assert not found, found


def test_modules_of_time_and_chance_are_imported_whole() -> None:
    """`from time import time` would hide a call from the rule above: never unpacked."""
    watched = {name.split(".")[0] for name in ROOM_OF_CALL if "." in name} - {"datetime", "date"}
    found = [
        f"{source.path}:{node.lineno} from {node.module} import {alias.name}"
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom) and node.module in watched
        for alias in node.names
        if f"{node.module}.{alias.name}" in ROOM_OF_CALL
    ]
    assert not found, found


def test_nothing_catches_everything_outside_the_outermost_tasks() -> None:
    """`except Exception` stands only where a reason is written down, so no fault is swallowed."""
    broad = {"Exception", "BaseException", ""}
    found = [
        f"{source.path}:{node.lineno}"
        for source in sources()
        if source.path not in BROAD_EXCEPT_ALLOWED
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ExceptHandler) and broad & set(_caught(node)) and not _again(node)
    ]
    assert not found, found


def test_a_skipped_test_gives_its_reason() -> None:
    """A test is skipped only with a written reason, and none is expected to fail."""
    found = [
        f"{source.path}:{node.lineno} {ast.unparse(node)}"
        for source in sources("tests")
        for node in ast.walk(source.tree)
        if _is_bare_skip(node)
    ]
    assert not found, found


def test_money_is_never_made_from_a_float_literal() -> None:
    """`Decimal(0.1)` is not a tenth: amounts are written as strings or whole numbers."""
    found = [
        f"{source.path}:{node.lineno} {ast.unparse(node)}"
        for source in _everything()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
        and dotted(node.func) in {"Decimal", "decimal.Decimal"}
        and any(_is_float(argument) for argument in node.args)
    ]
    assert not found, found


def test_relative_imports_are_not_used() -> None:
    """A line that imports says the whole name of what it imports."""
    found = [
        f"{source.path}:{node.lineno}"
        for source in _everything()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not found, found


def test_the_product_never_imports_its_tests() -> None:
    """Tests look at the product, never the other way round."""
    found = [
        f"{source.path}:{item.line} {item.module}"
        for source in sources()
        for item in imports(source.tree)
        if item.module.split(".")[0] in {"tests", "pytest", "hypothesis"}
    ]
    assert not found, found


def _everything() -> tuple[Source, ...]:
    return sources("bot", "data", "memory", "tests", "docs")


def _watched_names(tree: ast.Module) -> list[tuple[ast.expr, str]]:
    yields = {  # asyncio.sleep(0) waits for nothing: it lets other tasks run
        id(node.func)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "asyncio.sleep"
        if [ast.unparse(argument) for argument in node.args] == ["0"]
    }
    names = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute | ast.Name)]
    return [(n, dotted(n)) for n in names if dotted(n) in ROOM_OF_CALL and id(n) not in yields]


def _public(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    bodies = [tree.body] + [
        node.body
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    return [
        node
        for body in bodies
        for node in body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
        and not _is_documented_elsewhere(node)
    ]


def _is_documented_elsewhere(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    names = {dotted(decorator).split(".")[-1] for decorator in function.decorator_list}
    only_a_shape = [ast.unparse(statement) for statement in function.body] == ["..."]
    return only_a_shape or bool(names & {"override", "overload", "setter"})


def _caught(handler: ast.ExceptHandler) -> list[str]:
    if handler.type is None:
        return [""]
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return [dotted(kind) for kind in kinds]


def _again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise)


def _is_bare_skip(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        name = dotted(node.func)
        if name == "pytest.skip":
            return not node.args and not node.keywords
        return name == "pytest.mark.skip" and not any(k.arg == "reason" for k in node.keywords)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return any(dotted(decorator) == "pytest.mark.skip" for decorator in node.decorator_list)
    return isinstance(node, ast.Attribute) and dotted(node) == "pytest.mark.xfail"


def _is_float(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp):
        return _is_float(node.operand)
    return isinstance(node, ast.Constant) and isinstance(node.value, float)
