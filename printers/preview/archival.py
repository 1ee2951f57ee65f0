"""PDF to PDF/A-3b (ISO 19005-3): what a reader of the next decades needs, and the FA(3) file inside.

Fonts are embedded already; added here are the colour profile, XMP metadata that say what the file is, and the
attachment with its relationship. The same input gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
from datetime import UTC, date, datetime
from functools import cache
from typing import Final
from xml.sax.saxutils import escape

from PIL import ImageCms
from pypdf import PdfWriter
from pypdf.generic import (
    ArrayObject,
    ByteStringObject,
    DecodedStreamObject,
    DictionaryObject,
    NameObject,
    NumberObject,
    StreamObject,
    TextStringObject,
)

from agent.domain.paper.sheet import Attachment

PRODUCER: Final = "ksef-agent"
_ICC_CREATED: Final = bytes.fromhex("07ea00010001000000000000")
"""Bytes 24 to 35 of a profile: when it was made. Pillow writes the time of the call."""
_ICC_ID: Final = slice(84, 100)
_XMP: Final = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/" xmlns:pdf="http://ns.adobe.com/pdf/1.3/"
    xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/">
   <pdfaid:part>3</pdfaid:part>
   <pdfaid:conformance>B</pdfaid:conformance>
   <pdf:Producer>{producer}</pdf:Producer>
   <dc:format>application/pdf</dc:format>
   <dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
   <xmp:CreatorTool>{producer}</xmp:CreatorTool>
   <xmp:CreateDate>{day}T00:00:00Z</xmp:CreateDate>
   <xmp:ModifyDate>{day}T00:00:00Z</xmp:ModifyDate>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""


def archival(pdf: bytes, *, title: str, day: date, attachment: Attachment | None) -> bytes:
    """Return the PDF as PDF/A-3b; ``day`` is its date, ``title`` that of its properties."""
    writer = PdfWriter(clone_from=io.BytesIO(pdf))
    writer.pdf_header = "%PDF-1.7"
    moment = TextStringObject(f"D:{day:%Y%m%d}000000+00'00'")
    writer.metadata = {
        "/Title": TextStringObject(title),
        "/Creator": TextStringObject(PRODUCER),
        "/Producer": TextStringObject(PRODUCER),
        "/CreationDate": moment,
        "/ModDate": moment,
    }
    root = writer.root_object
    xmp = DecodedStreamObject()
    xmp.set_data(_XMP.format(title=escape(title), producer=PRODUCER, day=day.isoformat()).encode())
    xmp.update({NameObject("/Type"): NameObject("/Metadata"), NameObject("/Subtype"): NameObject("/XML")})
    root[NameObject("/Metadata")] = writer._add_object(xmp)
    root[NameObject("/OutputIntents")] = ArrayObject([_output_intent(writer)])
    if attachment is not None:
        _attach(writer, attachment, day)
    identity = ByteStringObject(hashlib.sha256(pdf + (attachment.data if attachment else b"")).digest()[:16])
    writer._ID = ArrayObject((identity, identity))
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def _output_intent(writer: PdfWriter) -> DictionaryObject:
    profile = StreamObject()
    profile.set_data(_srgb())
    profile.update({NameObject("/N"): NumberObject(3)})
    return DictionaryObject(
        {
            NameObject("/Type"): NameObject("/OutputIntent"),
            NameObject("/S"): NameObject("/GTS_PDFA1"),
            NameObject("/OutputConditionIdentifier"): TextStringObject("sRGB"),
            NameObject("/Info"): TextStringObject("sRGB IEC61966-2.1"),
            NameObject("/DestOutputProfile"): writer._add_object(profile.flate_encode()),
        }
    )


@cache
def _srgb() -> bytes:
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = _ICC_CREATED
    profile[_ICC_ID] = bytes(16)
    return bytes(profile)


def _attach(writer: PdfWriter, attachment: Attachment, day: date) -> None:
    """The page shows what the file says, so the file is its source (ISO 19005-3, annex E)."""
    embedded = writer.add_attachment(attachment.name, attachment.data)
    embedded.alternative_name = TextStringObject(attachment.name)
    embedded.description = TextStringObject("FA(3)")
    embedded.associated_file_relationship = NameObject("/Source")
    embedded.subtype = NameObject("/text/xml")
    embedded.size = NumberObject(len(attachment.data))
    embedded.modification_date = datetime(day.year, day.month, day.day, tzinfo=UTC)
    writer.root_object[NameObject("/AF")] = ArrayObject([embedded.pdf_object.indirect_reference])
