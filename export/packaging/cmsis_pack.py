"""A CMSIS-Pack: the description of a package that has the network as a component, for Keil and csolution projects."""

from __future__ import annotations

from xml.etree import ElementTree

from export.codegen import Project

ADVICE = (
    "CMSIS-Pack: `cpackget add out/keras_approx.{name}.pdsc`, then select the component "
    "`Machine Learning:Network:{name}` in the project, or list it in its `.cproject.yml`."
)
VERSION = "1.0.0"  # of every network's package; a new export of the same name replaces the old
_SCHEMA = {
    "schemaVersion": "1.7.36",
    "xmlns:xs": "http://www.w3.org/2001/XMLSchema-instance",
    "xs:noNamespaceSchemaLocation": "PACK.xsd",
}


def files(name: str, project: Project, folder: str, example: str) -> dict[str, str]:
    """The package description, `keras_approx.NAME.pdsc`.

    Args:
        name: Of the network.
        project: Its C.
        folder: Where the C lies.
        example: The file that a user can copy into a project.
    """
    package = ElementTree.Element("package", _SCHEMA)
    for tag, text in (
        ("vendor", "keras_approx"),
        ("name", name),
        ("description", f"The int8 network {name} as C for Cortex-M"),
        ("url", ""),
    ):
        ElementTree.SubElement(package, tag).text = text
    releases = ElementTree.SubElement(package, "releases")
    ElementTree.SubElement(releases, "release", version=VERSION).text = "Exported"
    components = ElementTree.SubElement(package, "components")
    component = ElementTree.SubElement(
        components, "component", Cclass="Machine Learning", Cgroup="Network", Csub=name, Cversion=VERSION
    )
    ElementTree.SubElement(
        component, "description"
    ).text = f"The network {name}: {name}.h declares {name}_run"
    listed = ElementTree.SubElement(component, "files")
    ElementTree.SubElement(listed, "file", category="doc", name="README.md")
    ElementTree.SubElement(listed, "file", category="include", name=f"{folder}/")
    for header in project.headers:
        ElementTree.SubElement(listed, "file", category="header", name=f"{folder}/{header}")
    for source in project.sources:
        ElementTree.SubElement(listed, "file", category="source", language="c", name=f"{folder}/{source}")
    ElementTree.SubElement(
        listed,
        "file",
        {"category": "source", "language": "c", "attr": "template", "select": f"Run {name} on one sample"},
        name=example,
    )
    ElementTree.indent(package)
    text = ElementTree.tostring(package, encoding="unicode")
    return {f"keras_approx.{name}.pdsc": f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'}
