from tests.page.conftest import Visitor
def test_look(visitor: Visitor, runpod, delivered):
    page = visitor.open(color_scheme="dark")
    page.get_by_label("What is seen and heard").wait_for()
    page.screenshot(path="/tmp/page-shots/empty.png")
    print(visitor.faults)
    page.get_by_label("What is seen and heard").fill("A grey cat sits on a sill; rain runs down the glass.")
    runpod.play(delivered.script())
    delivered.seconds=3
    page.get_by_role("button", name="Preview 1 s").click()
    page.get_by_text("60%").wait_for()
    page.screenshot(path="/tmp/page-shots/running.png")
    page.get_by_text("Looks right?").wait_for(); page.wait_for_timeout(600)
    page.screenshot(path="/tmp/page-shots/done.png", full_page=True)
    page.set_viewport_size({"width":360,"height":740})
    page.wait_for_timeout(300)
    page.screenshot(path="/tmp/page-shots/phone.png", full_page=True)
