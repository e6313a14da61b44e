import hashlib
import json
import zipfile

import pytest
import torch

from monai_gi.errors import DataError, DataErrors
from monai_gi.sharing.manifest import write_manifest
from monai_gi.sharing.opening import open_bundle
from tests.brightness_bundle import write_brightness_bundle
from tests.hostile_zips import write_zip
from tests.sharing_bundles import (
    CONFIG,
    rewritten,
    small_network,
    write_flat_bundle,
    write_packed_bundle,
    zip_bundle,
)

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit")
IMAGES = torch.arange(2 * 3 * 5 * 7.0).reshape(2, 3, 5, 7)
PLAIN = {key: CONFIG[key] for key in list(CONFIG)[2:12]}


def answer(network):
    with torch.no_grad():
        return network(IMAGES)


@pytest.fixture
def packed(tmp_path):
    return write_packed_bundle(tmp_path / "small")


@pytest.fixture
def weights(tmp_path):
    torch.save(small_network().state_dict(), tmp_path / "own.pt")
    return tmp_path / "own.pt"


def refused(path, match, **options):
    with pytest.raises(DataError, match=match) as caught:
        open_bundle(path, **options)
    return caught.value


@pytest.mark.parametrize("as_zip", [False, True])
def test_packed_bundle_opens_with_its_script(packed, tmp_path, as_zip):
    path = zip_bundle(packed, tmp_path / "small.zip") if as_zip else packed
    script = (packed / "models/model.ts").read_bytes()
    with open_bundle(path) as bundle:
        assert (bundle.name, bundle.version, bundle.modality) == ("small", "0.2.0", "MR")
        assert bundle.config == PLAIN
        assert bundle.weights_sha256 == hashlib.sha256(script).hexdigest()
        assert bundle.weights_path.read_bytes() == script
        assert bundle.weights_file == "models/model.ts"
        assert not bundle.network.training
        torch.testing.assert_close(answer(bundle.network), answer(small_network()))
        place = bundle.weights_path
    assert place.exists() != as_zip
    torch.testing.assert_close(answer(bundle.network), answer(small_network()))


def test_no_expression_of_a_packed_bundle_is_evaluated(tmp_path, monkeypatch):
    import monai.bundle

    def fail(*_args, **_options):
        raise AssertionError

    folder = write_packed_bundle(tmp_path / "small", harmless="$len([1, 2])")
    monkeypatch.setattr(monai.bundle.ConfigParser, "get_parsed_content", fail)
    monkeypatch.setattr("builtins.eval", fail)
    open_bundle(folder)


def test_other_weights_go_into_the_packed_network(packed, tmp_path):
    other = {key: -value for key, value in small_network().state_dict().items()}
    torch.save(other, tmp_path / "other.pt")
    bundle = open_bundle(packed, weights=tmp_path / "other.pt")
    torch.testing.assert_close(answer(bundle.network), -answer(small_network()))
    assert bundle.weights_sha256 == hashlib.sha256((tmp_path / "other.pt").read_bytes()).hexdigest()
    assert bundle.weights_file == "other.pt"


def test_changed_bundle_is_refused_with_every_reason(packed):
    (packed / "docs/README.md").write_text("changed")
    (packed / "configs/evil.json").write_text(json.dumps({"a": "$eval('1')"}))
    error = refused(packed, "--trust opens it all the same")
    assert isinstance(error, DataErrors)
    for text in ("docs/README.md was changed", "configs/evil.json was added", "configs/evil.json#/a: calls eval"):
        assert text in str(error)


def test_trust_opens_a_bundle_that_is_refused(packed):
    (packed / "docs/README.md").write_text("changed")
    assert open_bundle(packed, trust=True).config == PLAIN


def test_bundle_without_a_manifest_is_refused(packed):
    (packed / "manifest.json").unlink()
    refused(packed, r"there is no manifest\.json")


def test_listed_but_hostile_bundle_is_refused(tmp_path):
    refused(write_packed_bundle(tmp_path / "a", x="$__import__('os')"), "calls __import__")
    refused(write_packed_bundle(tmp_path / "b", x={"_target_": "os.system"}), "names the class 'os.system'")
    refused(write_packed_bundle(tmp_path / "c", {"scripts/net.py": "x"}), r"scripts/net\.py: is code")


def test_hostile_archive_is_refused_trusted_or_not(tmp_path):
    path = write_zip(tmp_path / "a.zip", [("../x", "x"), ("/y", "y")])
    for trust in (False, True):
        refused(path, "(?s)leads out of the folder.*absolute name", trust=trust)
    refused(tmp_path / "absent.zip", "there is no such bundle")


def test_refused_zip_leaves_no_folder_behind(packed, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    (packed / "docs/README.md").write_text("changed")
    path = zip_bundle(packed, tmp_path / "small.zip")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    refused(path, "was changed")
    assert list((tmp_path / "temporary").iterdir()) == []


def test_setting_that_needs_evaluation_is_refused(tmp_path):
    folder = write_packed_bundle(tmp_path / "small", roi_size="$[32, 32]", thresholds=[0.5, "@presence"])
    error = refused(folder, "a plain value was wanted")
    assert "#/roi_size" in str(error)
    assert "#/thresholds" in str(error)


def test_bundle_that_can_not_run_is_refused(packed, tmp_path):
    (packed / "models/model.ts").unlink()
    write_manifest(packed)
    refused(packed, r"there is no models/model\.ts")
    folder = write_packed_bundle(tmp_path / "b" / "small")
    path = folder / "models/model.ts"
    rewritten(path, lambda name, content: b"" if name.endswith("/data.pkl") else content)
    write_manifest(folder)
    refused(folder, r"models/model\.ts cannot be loaded|models/model\.ts: cannot be loaded", trust=True)
    (folder / "configs/inference.json").write_text("[]")
    refused(folder, "are to be objects that can be read", trust=True)


def test_flat_bundle_opens_with_named_weights(tmp_path, weights):
    folder = write_flat_bundle(tmp_path / "flat")
    bundle = open_bundle(folder, weights=weights)
    assert (bundle.name, bundle.version, bundle.modality) == ("flat", "0.2.0", "MR")
    assert (bundle.config, bundle.weights_path) == (PLAIN, weights)
    assert bundle.network.in_channels == 3
    assert not bundle.network.training
    torch.testing.assert_close(answer(bundle.network), answer(small_network()))


def test_flat_bundle_opens_with_the_weights_that_its_config_names(tmp_path, weights, monkeypatch):
    folder = write_flat_bundle(tmp_path / "a", weights="own.pt")
    refused(folder, r"its weights own\.pt do not exist\. Train it first: .*/train\.json`.* --weights RUN/model\.pt")
    monkeypatch.chdir(tmp_path)
    assert open_bundle(folder).weights_path.name == "own.pt"
    joined = write_flat_bundle(tmp_path / "b", out=str(tmp_path), weights="$os.path.join(@out, 'own.pt')")
    assert open_bundle(joined).weights_path == weights
    weights.rename(folder / "own.pt")
    assert open_bundle(folder).weights_path == folder / "own.pt"
    refused(write_flat_bundle(tmp_path / "c"), "the bundle names no weights. .* --weights")


def test_safetensors_are_read(tmp_path):
    from safetensors.torch import save_file

    save_file(small_network().state_dict(), tmp_path / "own.safetensors")
    bundle = open_bundle(write_flat_bundle(tmp_path / "flat"), weights=tmp_path / "own.safetensors")
    torch.testing.assert_close(answer(bundle.network), answer(small_network()))


def test_weights_that_do_not_fit_are_named(tmp_path, packed):
    state = small_network().state_dict()
    torch.save({"weight": state["weight"][:, :2], "other": state["bias"]}, tmp_path / "other.pt")
    for folder in (write_flat_bundle(tmp_path / "flat"), packed):
        error = refused(folder, "does not fit", weights=tmp_path / "other.pt")
        for text in ("missing (bias)", "unexpected (other)", "weight [2, 2, 1, 1] for [2, 3, 1, 1]"):
            assert text in str(error)
        refused(folder, "there is no such file of weights", weights=tmp_path / "absent.pt")


def test_weights_that_run_code_are_not_loaded(tmp_path):
    from tests.test_weights_inspection import Evil

    torch.save({"weight": Evil()}, tmp_path / "evil.pt")
    refused(write_flat_bundle(tmp_path / "flat"), "can not be read as weights", weights=tmp_path / "evil.pt")


def test_flat_bundle_outside_the_allow_list_is_refused(tmp_path, weights):
    folder = write_flat_bundle(tmp_path / "flat", network_def={"_target_": "os.getcwd"})
    refused(folder, "names the class 'os.getcwd'", weights=weights)
    refused(folder, "network_def is a str; a network was wanted", weights=weights, trust=True)


def test_flat_bundle_whose_network_can_not_be_built_is_refused(tmp_path, weights):
    broken = {**CONFIG["network_def"], "groups": 2}
    refused(write_flat_bundle(tmp_path / "a", network_def=broken), "network_def cannot be built", weights=weights)
    folder = write_flat_bundle(tmp_path / "b")
    config = {key: value for key, value in CONFIG.items() if key != "network_def"}
    (folder / "inference.json").write_text(json.dumps(config))
    refused(folder, "has no network_def", weights=weights)


def test_only_what_the_network_needs_is_resolved(tmp_path, weights):
    folder = write_flat_bundle(tmp_path / "flat", items="$glob.glob(@nowhere)", handlers=[{"_target_": "StatsHandler"}])
    assert open_bundle(folder, weights=weights).network.out_channels == 2


def test_hooked_network_in_a_flat_bundle_is_built(tmp_path, weights):
    folder = write_flat_bundle(
        tmp_path / "flat",
        bare=CONFIG["network_def"],
        double="$lambda module, inputs, output: output * 2",
        network_def="$(@bare.register_forward_hook(@double), @bare)[1]",
    )
    bundle = open_bundle(folder, weights=weights)
    torch.testing.assert_close(answer(bundle.network), 2 * answer(small_network()))


def test_zip_may_be_named_as_it_likes(packed, tmp_path):
    path = zip_bundle(packed, tmp_path / "download (1).zip")
    with open_bundle(path) as bundle:
        assert bundle.name == "small"
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None


def trained_with(tmp_path, overrides):
    """A flat bundle, and weights of a wider kernel than its config says, with the run's settings.json beside them."""
    bundle = write_brightness_bundle(tmp_path / "brightness")
    run = tmp_path / "run"
    run.mkdir()
    torch.save(torch.nn.Conv2d(3, 3, 5).state_dict(), run / "model.pt")
    (run / "settings.json").write_text(json.dumps({"overrides": overrides}))
    return bundle, run / "model.pt"


def test_flat_bundle_takes_the_network_that_the_run_of_its_weights_overrode(tmp_path):
    overrides = {"network_def#kernel_size": "5", "roi_size": "[64, 48]", "slice_spacing_mm": "9.9"}
    bundle, weights = trained_with(tmp_path, overrides)
    with open_bundle(bundle, weights=weights) as opened:
        assert opened.network.kernel_size == (5, 5)
        assert opened.config["roi_size"] == [64, 48]
        assert opened.config["slice_spacing_mm"] == 9.9
    (weights.parent / "settings.json").unlink()
    refused(bundle, "size mismatch|do not fit|shape", weights=weights)


@pytest.mark.parametrize(
    "overrides",
    [
        {"network_def#kernel_size": "$__import__('os').system('true')"},
        {"network_def#_target_": "os.system"},
        {"network_def": "{'_target_': 'os.system', 'command': 'true'}"},
        {"network_def#kernel_size": "@device"},
    ],
)
def test_overrides_of_a_run_that_would_execute_something_are_refused(tmp_path, overrides):
    bundle, weights = trained_with(tmp_path, overrides)
    refused(bundle, "overrides would execute", weights=weights)
