"""The messages of the API, field by field, as its proto files declare them.

It decides which fields exist, of what kind, and which exclude each other. Below each message stand
its fields, after their kind: a proto scalar, `Timestamp`, `Duration`, `Struct` (any JSON object),
`Value` (any JSON), an enumeration or a message of this page. `[]` repeats, `{}` maps from strings,
`@` names the oneof. Messages that caching never looks into are a `Struct` here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from msgspec import Struct

Shape: TypeAlias = Literal["one", "list", "map"]

_SHAPES: Final[Mapping[str, Shape]] = {"": "one", "[]": "list", "{}": "map"}


class Field(Struct, frozen=True, kw_only=True):
    name: str
    """In camel case, as answers spell it."""
    snake: str
    """In snake case, as errors and field masks spell it."""
    kind: str
    shape: Shape
    oneof: str


_ENUMERATIONS: Final = """
Type: TYPE_UNSPECIFIED STRING NUMBER INTEGER BOOLEAN ARRAY OBJECT NULL
FunctionResponse.Scheduling: SCHEDULING_UNSPECIFIED SILENT WHEN_IDLE INTERRUPT
ExecutableCode.Language: LANGUAGE_UNSPECIFIED PYTHON
CodeExecutionResult.Outcome: OUTCOME_UNSPECIFIED OUTCOME_OK OUTCOME_FAILED OUTCOME_DEADLINE_EXCEEDED
FunctionDeclaration.Behavior: UNSPECIFIED BLOCKING NON_BLOCKING
FunctionCallingConfig.Mode: MODE_UNSPECIFIED AUTO ANY NONE VALIDATED
"""

_MESSAGES: Final = """
CachedContent
  Timestamp: expireTime@expiration createTime updateTime
  Duration: ttl@expiration
  string: name displayName model
  Content: systemInstruction contents[]
  Tool: tools[]
  ToolConfig: toolConfig
  UsageMetadata: usageMetadata
UsageMetadata
  int32: totalTokenCount
Content
  Part: parts[]
  string: role
Part
  string: text@data
  Blob: inlineData@data
  FunctionCall: functionCall@data
  FunctionResponse: functionResponse@data
  FileData: fileData@data
  ExecutableCode: executableCode@data
  CodeExecutionResult: codeExecutionResult@data
  Struct: toolCall@data toolResponse@data videoMetadata@metadata partMetadata
  Struct: mediaResolution mediaProcessing audioTranscription speechMetadata documentMetadata
  Struct: spreadsheetMetadata audioMetadata
  bool: thought
  bytes: thoughtSignature
Blob
  string: mimeType displayName
  bytes: data
FileData
  string: mimeType fileUri displayName
FunctionCall
  string: id name
  Struct: args
FunctionResponse
  string: id name
  Struct: response
  FunctionResponsePart: parts[]
  bool: willContinue
  FunctionResponse.Scheduling: scheduling
FunctionResponsePart
  Blob: inlineData@data
  FileData: fileData@data
ExecutableCode
  string: id code
  ExecutableCode.Language: language
CodeExecutionResult
  string: id output
  CodeExecutionResult.Outcome: outcome
Tool
  FunctionDeclaration: functionDeclarations[]
  Struct: googleSearchRetrieval codeExecution googleSearch computerUse urlContext fileSearch
  Struct: googleMaps mcpServers[]
FunctionDeclaration
  string: name description
  Schema: parameters response
  Value: parametersJsonSchema responseJsonSchema
  FunctionDeclaration.Behavior: behavior
Schema
  Type: type
  string: format title description enum[] required[] pattern propertyOrdering[]
  bool: nullable
  Schema: items properties{} anyOf[]
  int64: maxItems minItems minProperties maxProperties minLength maxLength
  double: minimum maximum
  Value: example default
ToolConfig
  FunctionCallingConfig: functionCallingConfig
  Struct: retrievalConfig
  bool: includeServerSideToolInvocations
FunctionCallingConfig
  FunctionCallingConfig.Mode: mode
  string: allowedFunctionNames[]
GenerateContentRequest
  string: model cachedContent
  Content: systemInstruction contents[]
  Tool: tools[]
  ToolConfig: toolConfig
  Struct: safetySettings[] generationConfig
  Value: serviceTier
  bool: store
CountTokensRequest
  string: model
  Content: contents[]
  GenerateContentRequest: generateContentRequest
"""


def _snake(camel: str) -> str:
    return re.sub(r"[A-Z]", lambda upper: f"_{upper[0].lower()}", camel)


def _field(kind: str, text: str) -> Field:
    spelled, _, oneof = text.partition("@")
    name = spelled.rstrip("[]{}")
    snake = _snake(name)
    return Field(
        name=name,
        snake=snake,
        kind=kind,
        shape=_SHAPES[spelled.removeprefix(name)],
        oneof=oneof or f"_{snake}",
    )


def _messages(text: str) -> Mapping[str, Mapping[str, Field]]:
    messages: dict[str, dict[str, Field]] = {}
    for line in text.strip().splitlines():
        kind, *names = line.replace(":", "").split()
        if not names:
            messages[kind] = fields = {}
        for name in names:
            field = _field(kind, name)
            fields[field.name] = fields[field.snake] = field
    return MappingProxyType(messages)


def _enumerations(text: str) -> Mapping[str, tuple[str, ...]]:
    lines = (line.split(": ") for line in text.strip().splitlines())
    return MappingProxyType({name: tuple(values.split()) for name, values in lines})


MESSAGES: Final = _messages(_MESSAGES)
"""Fields by message and by either spelling of their name."""
ENUMERATIONS: Final = _enumerations(_ENUMERATIONS)
"""The values of each enumeration; a value's place is its number."""
