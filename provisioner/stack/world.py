"""
Which stack a program means, and the world that each of its operations meets.

Decides what a session of the library is made of: ports without a terminal and without signals,
clients of its own, the environment and the clocks that the program gave.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from msgspec import Struct, structs

from provisioner.catalog import load_catalog
from provisioner.errors import PublishError
from provisioner.handles.reader import Handles
from provisioner.http import AsyncTransport
from provisioner.manifest import load_frame, load_manifest
from provisioner.manifest.entries import at_most
from provisioner.operations.checkout import check_destinations
from provisioner.operations.clients import Clients
from provisioner.operations.session import Ports, Session, StackOptions
from provisioner.operations.stack_location import location_of
from provisioner.runtime import Runtime
from provisioner.stack.run import StackConsole, StopRequest
from provisioner.storage import OpenBackend


class StackWorld(Struct, frozen=True, kw_only=True):
    """What `Stack.load` was given, or what stands in for it."""

    path: Path
    options: StackOptions
    environ: Mapping[str, str]
    lock_timeout: timedelta
    max_wait: timedelta
    parallelism: int
    max_caches: int
    transport: AsyncTransport | None
    runtime: Runtime
    open_backend: OpenBackend

    def __repr__(self) -> str:
        return f"{type(self).__name__}(path={str(self.path)!r}, ...)"  # the environment has keys

    def checked_name(self) -> str:
        """The name of the stack.  Raises ManifestError with every problem of its manifest."""
        load_catalog(self.options.models)
        with at_most(self.max_caches):
            manifest = load_manifest(self.path, environment=self.options.environment)
        check_destinations(manifest, with_state=self.options.address is None)
        return manifest.stack

    @asynccontextmanager
    async def session(
        self,
        console: StackConsole,
        stop: StopRequest,
        *,
        name: str,
        accept_scope: bool,
        accept_missing: bool,
    ) -> AsyncIterator[Session]:
        """Open what one operation of the stack *name* needs, and close it after the block."""
        options = structs.replace(
            self.options, loaded_as=name, accept_scope=accept_scope, accept_missing=accept_missing
        )
        ports = self._ports(console, stop)
        with at_most(self.max_caches):
            async with self._clients(ports) as clients:
                yield Session(options=options, ports=ports, clients=clients)

    def handles(self, name: str) -> Handles:
        """What the stack of this *name* publishes.  Raises PublishError if that is nothing."""
        ports = self._ports(StackConsole(), StopRequest())
        session = Session(options=self.options, ports=ports, clients=self._clients(ports))
        frame = load_frame(self.path, environment=self.options.environment)
        published = location_of(session, frame).publish
        if published is None or frame.publish is None:
            raise PublishError(
                f"{name} publishes no handles: its manifest in {self.path} has no publish:. Add "
                "publish: handles.json, or another path, and apply."
            )
        if self.options.emulator:  # in a folder of its own, on this machine
            return Handles(published.backend.where(published.name), runtime=self.runtime)
        return Handles(frame.publish, runtime=self.runtime, environ=self.environ, root=frame.root)

    def _ports(self, console: StackConsole, stop: StopRequest) -> Ports:
        return Ports(
            **structs.asdict(self.runtime),
            environ=self.environ,
            folder=Path.cwd(),  # noqa: TID251  # as of the environment, this is the library's default
            read=self.runtime.in_thread,
            console=console.port(),
            listen=stop.listen,
            open_backend=self.open_backend,
        )

    def _clients(self, ports: Ports) -> Clients:
        return Clients(ports, max_wait=self.max_wait, transport=self.transport)
