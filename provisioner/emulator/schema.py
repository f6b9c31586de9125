"""The messages of the API, field by field, as its proto files declare them.

It decides which fields exist, of what kind, and which exclude each other. Kinds are proto
scalars, `Timestamp`, `Duration`, `Struct` (any JSON object), `Value` (any JSON), an enumeration
or a message of this page; `[]` repeats, `{}` maps from strings. `@` names the oneof. Messages
that caching never looks into are a `Struct` here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from msgspec import Struct

Shape: TypeAlias = Literal["one", "list", "map"]


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
  expireTime: Timestamp @expiration
  ttl: Duration @expiration
  name: string
  displayName: string
  model: string
  systemInstruction: Content
  contents: Content []
  tools: Tool []
  toolConfig: ToolConfig
  createTime: Timestamp
  updateTime: Timestamp
  usageMetadata: UsageMetadata
UsageMetadata
  totalTokenCount: int32
Content
  parts: Part []
  role: string
Part
  text: string @data
  inlineData: Blob @data
  functionCall: FunctionCall @data
  functionResponse: FunctionResponse @data
  fileData: FileData @data
  executableCode: ExecutableCode @data
  codeExecutionResult: CodeExecutionResult @data
  toolCall: Struct @data
  toolResponse: Struct @data
  videoMetadata: Struct @metadata
  thought: bool
  thoughtSignature: bytes
  partMetadata: Struct
  mediaResolution: Struct
  mediaProcessing: Struct
  audioTranscription: Struct
  speechMetadata: Struct
  documentMetadata: Struct
  spreadsheetMetadata: Struct
  audioMetadata: Struct
Blob
  mimeType: string
  data: bytes
  displayName: string
FileData
  mimeType: string
  fileUri: string
  displayName: string
FunctionCall
  id: string
  name: string
  args: Struct
FunctionResponse
  id: string
  name: string
  response: Struct
  parts: FunctionResponsePart []
  willContinue: bool
  scheduling: FunctionResponse.Scheduling
FunctionResponsePart
  inlineData: Blob @data
  fileData: FileData @data
ExecutableCode
  id: string
  language: ExecutableCode.Language
  code: string
CodeExecutionResult
  id: string
  outcome: CodeExecutionResult.Outcome
  output: string
Tool
  functionDeclarations: FunctionDeclaration []
  googleSearchRetrieval: Struct
  codeExecution: Struct
  googleSearch: Struct
  computerUse: Struct
  urlContext: Struct
  fileSearch: Struct
  googleMaps: Struct
  mcpServers: Struct []
FunctionDeclaration
  name: string
  description: string
  parameters: Schema
  parametersJsonSchema: Value
  response: Schema
  responseJsonSchema: Value
  behavior: FunctionDeclaration.Behavior
Schema
  type: Type
  format: string
  title: string
  description: string
  nullable: bool
  enum: string []
  items: Schema
  maxItems: int64
  minItems: int64
  properties: Schema {}
  required: string []
  minProperties: int64
  maxProperties: int64
  minimum: double
  maximum: double
  minLength: int64
  maxLength: int64
  pattern: string
  example: Value
  anyOf: Schema []
  propertyOrdering: string []
  default: Value
ToolConfig
  functionCallingConfig: FunctionCallingConfig
  retrievalConfig: Struct
  includeServerSideToolInvocations: bool
FunctionCallingConfig
  mode: FunctionCallingConfig.Mode
  allowedFunctionNames: string []
GenerateContentRequest
  model: string
  systemInstruction: Content
  contents: Content []
  tools: Tool []
  toolConfig: ToolConfig
  safetySettings: Struct []
  generationConfig: Struct
  cachedContent: string
  serviceTier: Value
  store: bool
CountTokensRequest
  model: string
  contents: Content []
  generateContentRequest: GenerateContentRequest
"""


def _snake(camel: str) -> str:
    return re.sub(r"[A-Z]", lambda upper: f"_{upper[0].lower()}", camel)


def _field(line: str) -> Field:
    name, kind, *marks = line.replace(":", "").split()
    shape: Shape = "list" if "[]" in marks else "map" if "{}" in marks else "one"
    oneofs = [mark[1:] for mark in marks if mark.startswith("@")]
    snake = _snake(name)
    return Field(
        name=name, snake=snake, kind=kind, shape=shape, oneof=oneofs[0] if oneofs else f"_{snake}"
    )


def _messages(text: str) -> Mapping[str, Mapping[str, Field]]:
    messages: dict[str, dict[str, Field]] = {}
    for line in text.strip().splitlines():
        if not line.startswith(" "):
            messages[line] = fields = {}
            continue
        field = _field(line)
        fields[field.name] = fields[field.snake] = field
    return MappingProxyType(messages)


def _enumerations(text: str) -> Mapping[str, tuple[str, ...]]:
    lines = (line.split(": ") for line in text.strip().splitlines())
    return MappingProxyType({name: tuple(values.split()) for name, values in lines})


MESSAGES: Final = _messages(_MESSAGES)
"""Fields by message and by either spelling of their name."""
ENUMERATIONS: Final = _enumerations(_ENUMERATIONS)
"""The values of each enumeration; a value's place is its number."""
