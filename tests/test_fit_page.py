"""The report of a fit: a page of its own that a browser shows without a fault; its pictures and its plot."""

import io
import re
from xml.etree import ElementTree

import numpy as np
from browser import opened
from PIL import Image as pillow

import diffrt
from diffrt import load_scene, render
from diffrt.fitting.pictures import animation_of, loss_plot

STILL = load_scene("scenes/still_life.toml")
SMALL = STILL.replace(width=32, height=24)
TARGET = np.asarray(render(SMALL))
START = {"lamp.position": {"start": [1.5, 3.5, 2.5]}, "lamp.intensity": {}, "ball.center": {"start": [-0.8, 0.9, 0.1]}}


def test_a_report_is_one_page_with_everything(tmp_path):
    noisy = TARGET + 0.002 * np.random.default_rng(0).normal(size=TARGET.shape)
    found = diffrt.fit(SMALL, noisy, START)
    found.report(tmp_path / "report.html")
    with opened(tmp_path / "report.html") as (page, faults):
        assert "Fit of lamp.position" in page.title()
        loaded = page.eval_on_selector_all("img", "all => all.map(i => [i.alt, i.complete && i.naturalWidth > 0])")
        assert [name for name, _ in loaded] == ["start", "target", "result", "difference", "convergence"]
        assert all(there for _, there in loaded)
        assert page.locator("svg polyline").count() == len(found.problem.levels)
        assert page.locator("svg circle").count() == found.evaluations
        text = page.inner_text("body")
        for name in found.components:
            assert name in text
        assert "standard error" in text and "Correlations" in text and "converged after" in text
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert not faults
    assert not re.search(r'(src|href)="(?!data:)', (tmp_path / "report.html").read_text())


def test_what_a_user_names_cannot_break_the_page(tmp_path):
    views = {"front": {"target": TARGET}, "side": {"target": TARGET}}
    found = diffrt.fit(SMALL, views, {"ball.center": {"start": [-0.8, 0.9, 0.1]}})
    found.report(tmp_path / "report.html")
    with opened(tmp_path / "report.html") as (page, faults):
        assert page.locator("h3").all_inner_texts() == ["front", "side"]
        assert page.locator("img").count() == 9 and not faults


def test_the_animation_shows_the_course():
    found = diffrt.fit(SMALL, TARGET, START)
    with pillow.open(io.BytesIO(animation_of(found))) as picture:
        assert picture.format == "WEBP" and 3 <= picture.n_frames <= 10
        frames = []
        for number in range(picture.n_frames):
            picture.seek(number)
            frames.append(np.asarray(picture.convert("RGB"), float))
    half = frames[0].shape[1] // 2
    apart = [np.abs(frame[:, :half] - frame[:, half:]).mean() for frame in frames]
    assert apart[-1] < 0.1 * apart[0] and all((frame[:, half:] == frames[0][:, half:]).all() for frame in frames)


def test_the_plot_is_svg_and_puts_every_loss_at_its_height():
    history = diffrt.fit(SMALL, TARGET, START).history
    root = ElementTree.fromstring(loss_plot(history))
    circles = root.findall("{http://www.w3.org/2000/svg}circle")
    height = np.array([float(c.get("cy")) for c in circles])
    loss = np.log10([max(step.loss, 1e-300) for step in history])
    slope = np.polyfit(loss, height, 1)
    assert slope[0] < 0 and np.abs(np.polyval(slope, loss) - height).max() < 0.2
