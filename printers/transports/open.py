"""The transport of a printer of the settings."""

from __future__ import annotations

from agent.domain.errors import ConfigError
from printers.settings import PrinterSettings
from printers.transports.interface import Transport


def transport_for(settings: PrinterSettings) -> Transport:
    """Return the transport of a [[printer]]. ConfigError for a USB device that is not named as one."""
    name, device = settings.name, settings.device
    match settings.connection:
        case "tcp":
            from printers.transports.tcp import TcpTransport  # noqa: PLC0415 - only what is used is loaded

            return TcpTransport(settings.host, settings.port)
        case "usb":
            from printers.transports.usb import UsbTransport, parse_identifier  # noqa: PLC0415

            try:
                wanted = parse_identifier(device)
            except ValueError:
                expected = "oczekiwano „VVVV:PPPP” albo „VVVV:PPPP@GNIAZDO”, np. „04b8:0e15@1-1.4”"
                raise ConfigError((f"Drukarka „{name}”: device = „{device}”: {expected}.",)) from None
            return UsbTransport(wanted, name=name)
        case "serial":
            from printers.transports.serial import SerialTransport  # noqa: PLC0415

            return SerialTransport(device, settings.baud, flow=settings.flow, name=name)
        case "file":
            from printers.transports.file import FileTransport  # noqa: PLC0415

            return FileTransport(device, name=name)
        case "cups":
            from printers.transports.cups import CupsTransport  # noqa: PLC0415

            return CupsTransport(device)
        case other:
            raise ValueError(f"{other} is no connection: the settings allow none such")
