import numpy as np

from recognition.boxes import iou


def test_iou_is_the_share_of_the_union() -> None:
    a = np.array([[0, 0, 10, 10]], np.float32)
    b = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]], np.float32)
    assert np.allclose(iou(a, b), [[1, 1 / 3, 0]])
