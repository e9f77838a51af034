import pytest

from ltx2_worker.engine import failures
from ltx2_worker.engine.failures import Failure
from tests.log_lines import logged


@pytest.mark.parametrize(
    ("kind", "text", "failure"),
    [
        ("torch.OutOfMemoryError", "Allocation on device", Failure.OUT_OF_MEMORY),
        ("torch.cuda.OutOfMemoryError", "CUDA out of memory.", Failure.OUT_OF_MEMORY),
        ("torch.AcceleratorError", "CUDA error: out of memory", Failure.OUT_OF_MEMORY),
        ("RuntimeError", "DefaultCPUAllocator: can't allocate memory: you tried", Failure.OUT_OF_MEMORY),
        ("MemoryError", "", Failure.OUT_OF_MEMORY),
        ("OSError", "[Errno 12] Cannot allocate memory", Failure.OUT_OF_MEMORY),
        ("torch.AcceleratorError", "CUDA error: device-side assert triggered", Failure.DEVICE_LOST),
        ("RuntimeError", "CUDA error: an illegal memory access was encountered", Failure.DEVICE_LOST),
        ("RuntimeError", "cuBLAS error: CUBLAS_STATUS_EXECUTION_FAILED", Failure.DEVICE_LOST),
        ("OSError", "[Errno 28] No space left on device: 'a.mp4'", Failure.DISK_FULL),
        ("RuntimeError", "mat1 and mat2 shapes cannot be multiplied", Failure.OTHER),
        ("ValueError", "", Failure.OTHER),
    ],
)
def test_an_execution_error_is_told_by_its_type_and_text(kind: str, text: str, failure: Failure) -> None:
    assert failures.classify({"exception_type": kind, "exception_message": text}) is failure


def test_an_error_without_the_usual_fields_is_just_an_error() -> None:
    assert failures.classify({}) is Failure.OTHER


def test_the_log_has_the_traceback_but_not_the_prompt(caplog: pytest.LogCaptureFixture) -> None:
    failures.log_execution_error(
        {
            "node_type": "CLIPTextEncode",
            "exception_message": "broken",
            "traceback": ["  File a.py\n"],
            "current_inputs": {"text": ["a secret wish"]},
        }
    )
    assert "File a.py" in logged(caplog)
    assert "broken" in logged(caplog)
    assert "a secret wish" not in logged(caplog)
