"""HDF5 artifacts open in other programs: xarray by h5netcdf, and viewers of NeXus files."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

# What viewers plot, by the rules of NeXus's NXdata.
PLOTS = {
    "store": ("features", "spectrum", "feature of each channel"),
    "clusters": ("assignments", "image", "cluster of each pixel"),
}


@pytest.mark.parametrize("artifact", PLOTS)
def test_a_viewer_of_nexus_files_opens_with_a_plot(
    artifact: str, request: pytest.FixtureRequest
) -> None:
    signal, interpretation, name = PLOTS[artifact]
    with h5py.File(request.getfixturevalue(artifact), "r") as file:
        assert (file.attrs["NX_class"], file.attrs["signal"]) == ("NXdata", signal)
        data = file[signal]
        assert list(file.attrs["axes"]) == ["."] * data.ndim
        assert (data.attrs["interpretation"], data.attrs["long_name"]) == (interpretation, name)
        assert data.attrs["units"] == "1"


@pytest.mark.parametrize("artifact", PLOTS)
def test_xarray_reads_values_axes_and_units(artifact: str, request: pytest.FixtureRequest) -> None:
    xarray = pytest.importorskip("xarray", reason="needs c2l[viewers]")
    pytest.importorskip("h5netcdf", reason="needs c2l[viewers]")
    path: Path = request.getfixturevalue(artifact)
    signal = PLOTS[artifact][0]
    with (
        h5py.File(path, "r") as file,
        xarray.open_dataset(path, engine="h5netcdf", phony_dims="access") as found,
    ):
        np.testing.assert_array_equal(found[signal].values, file[signal][:])
        assert found[signal].attrs["units"] == "1"
        assert found[signal].attrs["long_name"] == PLOTS[artifact][2]
        assert found["names"].values.tolist() == file["names"].asstr()[:].tolist()
        assert found.attrs["format"] == file.attrs["format"]
