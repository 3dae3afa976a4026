"""Methods that send a call, written once for both clients, and typed for each.

A method is written as a function that returns a `Call`. Its decorator makes a method of it that sends the call and
returns the result: at once of a `Blocking` object, as a coroutine of an `Awaitable` one. Type checkers and editors see
the parameters as they are written, and the return type of the object that they are looking at.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from functools import wraps
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, get_args, get_type_hints, overload

from .call import Call, Json
from .connection import AsyncConnection, Connection
from .display import Record, Table

Given = ParamSpec("Given")
Result = TypeVar("Result")
Waited = TypeVar("Waited")
Awaited = TypeVar("Awaited")


class Blocking:
    """Something whose methods return results."""

    connection: Connection


class Awaitable:
    """Something whose methods return coroutines."""

    connection: AsyncConnection


_Blocking = TypeVar("_Blocking", bound=Blocking)
_Awaitable = TypeVar("_Awaitable", bound=Awaitable)


class _Method(Generic[Given]):
    """The method itself; its subclasses type what it returns of which object.

    Parameters
    ----------
    call : returns what is sent.
    finish : makes what is returned of the object and what was read.
    returned : the names of what is returned at once and after awaiting, for `help`; those of the call by default.
    """

    def __init__(
        self,
        call: Callable[Concatenate[Any, Given], Call[Any]],
        finish: Callable[[Any, Any], Any] = lambda _, result: result,
        returned: tuple[str, str] | None = None,
    ) -> None:
        @wraps(call)
        def blocking(instance: Any, *args: Given.args, **options: Given.kwargs) -> Any:
            return finish(instance, instance.connection.run(call(instance, *args, **options)))

        @wraps(call)
        async def awaitable(instance: Any, *args: Given.args, **options: Given.kwargs) -> Any:
            return finish(instance, await instance.connection.run(call(instance, *args, **options)))

        self._functions = (blocking, awaitable)
        signature = _signature(call)
        names = returned or (str(signature.return_annotation).removeprefix("Call[").removesuffix("]"),) * 2
        for function, name in zip(self._functions, names, strict=True):
            function.__signature__ = signature.replace(return_annotation=name)  # type: ignore[attr-defined]

    def _bind(self, instance: Any, owner: type) -> Any:
        function = self._functions[issubclass(owner, Awaitable)]
        return function if instance is None else MethodType(function, instance)


def _signature(call: Callable[..., Any]) -> inspect.Signature:
    """Return a signature, ``**options: Unpack[...]`` parameter by parameter: notebooks complete by it."""
    signature = inspect.signature(call)
    parameters = list(signature.parameters.values())
    if parameters[-1].kind is inspect.Parameter.VAR_KEYWORD:
        (options,) = get_args(get_type_hints(call)[parameters.pop().name])
        parameters += [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=..., annotation=annotation.__forward_arg__)
            for name, annotation in options.__annotations__.items()
        ]
    return signature.replace(parameters=parameters)


class Method(_Method[Given], Generic[Given, Waited, Awaited]):
    """A method that returns one type of a `Blocking` object, and an awaitable of another of an `Awaitable` one."""

    @overload
    def __get__(self, instance: None, owner: type) -> Callable[Concatenate[Any, Given], Any]: ...
    @overload
    def __get__(self, instance: Blocking, owner: type) -> Callable[Given, Waited]: ...
    @overload
    def __get__(self, instance: Awaitable, owner: type) -> Callable[Given, Coroutine[Any, Any, Awaited]]: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        return self._bind(instance, owner)


class MethodOfNoun(_Method[Given]):
    """A method that returns its object after a change, or another one of its kind."""

    @overload
    def __get__(self, instance: None, owner: type) -> Callable[Concatenate[Any, Given], Any]: ...
    @overload
    def __get__(self, instance: _Blocking, owner: type) -> Callable[Given, _Blocking]: ...
    @overload
    def __get__(self, instance: _Awaitable, owner: type) -> Callable[Given, Coroutine[Any, Any, _Awaitable]]: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        return self._bind(instance, owner)


def request(call: Callable[Concatenate[Any, Given], Call[Result]]) -> Method[Given, Result, Result]:
    """Make a method that returns what the call reads."""
    return Method(call)


def request_of_noun(call: Callable[Concatenate[Any, Given], Call[Record]]) -> MethodOfNoun[Given]:
    """Make a method of a noun that returns it, or another one of its kind, as the call reads it."""
    return MethodOfNoun(call, lambda noun, data: noun._received(data))


def returns(
    waited: Callable[[Connection, Json], Waited], awaited: Callable[[AsyncConnection, Json], Awaited]
) -> Callable[[Callable[Concatenate[Any, Given], Call[Record]]], Method[Given, Waited, Awaited]]:
    """Make methods that return a noun: the first class at once, or the second after awaiting."""

    def finish(instance: Any, data: Record) -> Any:
        return (awaited if isinstance(instance, Awaitable) else waited)(instance.connection, data)

    return lambda call: Method(call, finish, (waited.__name__, awaited.__name__))


def returns_table(
    waited: Callable[[Connection, Json], Waited], awaited: Callable[[AsyncConnection, Json], Awaited]
) -> Callable[[Callable[Concatenate[Any, Given], Call[Table[Record]]]], Method[Given, Table[Waited], Table[Awaited]]]:
    """Make methods that return a page of nouns; see `returns`."""

    def finish(instance: Any, rows: Table[Record]) -> Any:
        make: Callable[[Any, Json], Any] = awaited if isinstance(instance, Awaitable) else waited
        return Table([make(instance.connection, data) for data in rows], next=rows.next)

    return lambda call: Method(call, finish, (f"Table[{waited.__name__}]", f"Table[{awaited.__name__}]"))
