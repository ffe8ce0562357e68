"""Settings in the files of mounted ConfigMaps and Secrets."""

from pathlib import Path

from pipeline import settings
from pipeline.settings.folders import read_folders, settings_in


def mount(folder: Path, **files: str) -> Path:
    """Write *files* as Kubernetes does: in a hidden folder, with links to them."""
    data = folder / "..data"
    data.mkdir(parents=True)
    for name, text in files.items():
        (data / name).write_text(text)
        (folder / name).symlink_to(Path("..data") / name)
    return folder


def test_files_named_like_settings_are_settings(tmp_path: Path) -> None:
    mount(tmp_path, VC_URL="https://vcenter.example\n", password="secret", **{"ca.pem": "-----BEGIN"})

    assert settings.complete({"SETTINGS_PATH": str(tmp_path)}) == {
        "SETTINGS_PATH": str(tmp_path),
        "VC_URL": "https://vcenter.example",
    }


def test_environment_wins_unless_it_is_empty(tmp_path: Path) -> None:
    mount(tmp_path, A="file", B="file")

    completed = settings.complete({"SETTINGS_PATH": str(tmp_path), "A": "environment", "B": ""})

    assert (completed["A"], completed["B"]) == ("environment", "file")


def test_first_folder_wins(tmp_path: Path) -> None:
    first, second = mount(tmp_path / "first", A="1"), mount(tmp_path / "second", A="2", B="2")

    assert settings_in(read_folders({"SETTINGS_PATH": f"{first}:{second}"})) == {"A": "1", "B": "2"}


def test_missing_folder_is_empty(tmp_path: Path) -> None:
    assert read_folders({"SETTINGS_PATH": f"{tmp_path}/missing"}) == {}
    assert read_folders({}) == {}


def test_content_has_every_file(tmp_path: Path) -> None:
    """Because a missing password is a reason to wait, too."""
    mount(tmp_path, password="secret")

    assert list(read_folders({"SETTINGS_PATH": str(tmp_path)})) == [tmp_path / "password"]
