import importlib.util


def test_the_page_of_gates_is_the_one_the_contract_writes(project_root):
    spec = importlib.util.spec_from_file_location("gates_page", project_root / "docs" / "_generate" / "gates.py")
    assert spec is not None
    assert spec.loader is not None
    written = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(written)
    stored = (project_root / "docs" / "reference" / "gates.md").read_text()
    assert written.page(written.contract_of_project()) == stored, "run: make docs"
