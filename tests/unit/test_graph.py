"""Surgery on graphs, on small ones whose outcome can be seen."""

from typing import Any

import pytest

from ltx2_worker.workflow.graph import Graph, GraphError, NodeKinds, as_link

KINDS = {
    "Load": NodeKinds({}, ("MODEL", "VAE"), saves=False),
    "Lora": NodeKinds({"model": "MODEL"}, ("MODEL",), saves=False),
    "Guide": NodeKinds({"vae": "VAE", "positive": "COND", "negative": "COND"}, ("COND", "COND"), saves=False),
    "Text": NodeKinds({}, ("COND",), saves=False),
    "Sample": NodeKinds({"model": "MODEL", "positive": "COND", "negative": "COND"}, ("LATENT",), saves=False),
    "Decode": NodeKinds({"samples": "LATENT", "vae": "VAE"}, ("IMAGE",), saves=False),
    "Sound": NodeKinds({"samples": "LATENT"}, ("AUDIO",), saves=False),
    "Save": NodeKinds({"images": "IMAGE", "audio": "AUDIO"}, (), saves=True),
}


def node(title: str, class_type: str, **inputs: object) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs, "_meta": {"title": title}}


def prompt() -> dict[str, Any]:
    return {
        "1": node("load", "Load", name="a.safetensors"),
        "2": node("lora a", "Lora", model=["1", 0], strength=1.0),
        "3": node("lora b", "Lora", model=["2", 0], strength=1.0),
        "4": node("good", "Text", text="cat"),
        "5": node("bad", "Text", text="dog"),
        "6": node("guide", "Guide", vae=["1", 1], positive=["4", 0], negative=["5", 0]),
        "7": node("sample", "Sample", model=["3", 0], positive=["6", 0], negative=["6", 1]),
        "8": node("decode", "Decode", samples=["7", 0], vae=["1", 1]),
        "9": node("sound", "Sound", samples=["7", 0]),
        "10": node("save", "Save", images=["8", 0], audio=["9", 0], prefix="x"),
        "11": node("another", "Load", name="b.safetensors"),
    }


@pytest.fixture
def graph() -> Graph:
    return Graph(prompt(), KINDS)


def test_what_no_saving_node_needs_is_left_out(graph: Graph) -> None:
    assert list(graph.prompt()) == ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]


def test_a_bypassed_node_is_left_out_and_its_reader_gets_what_it_was_given(graph: Graph) -> None:
    graph.bypass("lora a")
    built = graph.prompt()
    assert "2" not in built
    assert built["3"]["inputs"] == {"model": ["1", 0], "strength": 1.0}


def test_bypassed_nodes_in_a_row_are_all_passed(graph: Graph) -> None:
    graph.bypass("lora a", "lora b")
    assert graph.prompt()["7"]["inputs"]["model"] == ["1", 0]


def test_an_output_is_joined_to_the_input_at_its_own_position_if_the_kinds_agree(graph: Graph) -> None:
    graph.bypass("guide")
    inputs = graph.prompt()["7"]["inputs"]
    # Output 1 (COND) is joined to input 1, positive; output 0 meets a VAE at its position, and so it is
    # joined to the first input of its kind, which is positive too.
    assert (inputs["positive"], inputs["negative"]) == (["4", 0], ["4", 0])


def test_an_output_with_no_input_of_its_kind_leaves_its_reader_unconnected(graph: Graph) -> None:
    graph.bypass("sound")
    built = graph.prompt()
    assert built["10"]["inputs"] == {"images": ["8", 0], "prefix": "x"}
    assert "9" not in built


def test_a_bypassed_saving_node_saves_nothing(graph: Graph) -> None:
    graph.bypass("save")
    assert graph.prompt() == {}


def test_what_only_a_bypassed_node_needed_goes_with_it(graph: Graph) -> None:
    graph.bypass("guide")
    assert "5" not in graph.prompt()


def test_a_connection_can_be_moved_to_another_node_of_the_same_kind(graph: Graph) -> None:
    graph.connect("lora a", "model", "another")
    built = graph.prompt()
    assert built["2"]["inputs"]["model"] == ["11", 0]
    assert {"1", "11"} <= set(built)  # the first one still gives its VAE


@pytest.mark.parametrize(
    ("name", "source", "output"),
    [("model", "another", 1), ("model", "good", 0), ("model", "another", 2), ("strength", "another", 0)],
)
def test_a_connection_of_another_kind_is_refused(graph: Graph, name: str, source: str, output: int) -> None:
    with pytest.raises(GraphError, match="cannot be connected"):
        graph.connect("lora a", name, source, output)


def test_values_are_set_by_title_and_the_file_stays_as_it_was() -> None:
    file = prompt()
    graph = Graph(file, KINDS)
    graph.set("lora a", strength=0.5)
    assert graph.prompt()["2"]["inputs"]["strength"] == 0.5
    assert file == prompt()


@pytest.mark.parametrize("name", ["weight", "model"])
def test_only_values_that_the_file_has_can_be_set(graph: Graph, name: str) -> None:
    with pytest.raises(GraphError, match="no value"):
        graph.set("lora a", **{name: 0.5})


def test_a_title_that_is_not_there_is_an_error(graph: Graph) -> None:
    with pytest.raises(GraphError, match="'nobody'"):
        graph.bypass("nobody")


def test_two_nodes_with_one_title_are_refused() -> None:
    with pytest.raises(GraphError, match="'load'"):
        Graph({"1": node("load", "Load"), "2": node("load", "Load")}, KINDS)


def test_a_class_of_unknown_kinds_is_refused() -> None:
    with pytest.raises(GraphError, match="'Mystery'"):
        Graph({"1": node("load", "Mystery")}, KINDS)


def test_bypassed_nodes_that_feed_each_other_are_an_error() -> None:
    graph = Graph(
        {
            "1": node("a", "Lora", model=["2", 0]),
            "2": node("b", "Lora", model=["1", 0]),
            "3": node("sample", "Sample", model=["1", 0]),
            "4": node("decode", "Decode", samples=["3", 0]),
            "5": node("save", "Save", images=["4", 0]),
        },
        KINDS,
    )
    graph.bypass("a", "b")
    with pytest.raises(GraphError, match="circle"):
        graph.prompt()


@pytest.mark.parametrize("value", ["1", 1, ["1"], ["1", "0"], [1, 0], ["1", 0, 0], None, ["1", True]])
def test_a_typed_in_value_is_no_connection(value: object) -> None:
    assert as_link(value) is None
