"""Property tests draw the same examples in every run, so that a change is judged by itself.

`pytest --hypothesis-profile=explore` draws others each time.
"""

import pytest
from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile("same")


LONG = """
test_cameras.py::test_engines_agree_on_a_crop_seen_through_a_lens[perspective]
test_degenerate.py::test_forward_and_reverse_mode_agree_for_a_room_that_is_a_ball_and_seen_in_a_mirror
test_degenerate.py::test_forward_and_reverse_mode_agree_where_shapes_coincide
test_documents.py::test_the_first_scene_goes_as_it_is_told
test_edges.py::test_random_scenes_have_finite_derivatives_that_agree_with_differences
test_edges.py::test_a_rectangle_whose_borders_lie_on_those_of_pixels
test_edges.py::test_a_shadow_seen_in_a_mirror_of_a_mirror
test_edges.py::test_shipped_scenes_along_a_random_direction_of_all_their_parameters[mirrors]
test_edges.py::test_two_balls_that_run_through_each_other
test_engines.py::test_scene_is_the_same_on_both_engines[workshop]
test_engines.py::test_the_graph_holds_the_ops_of_kernels_and_no_kernel[still_life-size0-exact]
test_extending.py::test_a_program_draws_its_picture_and_its_derivative_is_right[beam]
test_extending.py::test_a_program_draws_its_picture_and_its_derivative_is_right[glow]
test_extending.py::test_a_program_draws_its_picture_and_its_derivative_is_right[stripes]
test_fit.py::test_a_fit_that_was_cut_off_ends_at_the_same_bits[9]
test_fit.py::test_a_robust_loss_does_not_follow_outliers[soft_l1]
test_fit.py::test_ctrl_c_ends_a_fit_from_many_starts
test_front.py::test_an_explanation_by_a_vector_is_that_by_its_numbers
test_front.py::test_an_explanation_of_a_scene_with_vars_is_that_of_its_numbers
test_materials.py::test_the_derivative_by_every_number_of_a_material_and_of_its_place
test_render.py::test_derivative_by_every_parameter_agrees_with_differences_where_no_edge_moves[mirrors]
test_render.py::test_reverse_mode_agrees_with_forward_mode[gallery]
test_render.py::test_reverse_mode_agrees_with_forward_mode[tiles]
test_shapes.py::test_both_engines_and_both_modes_agree
test_shapes.py::test_from_inside_too[cone]
test_shapes.py::test_in_a_mirror_too
test_textures.py::test_a_pixel_of_a_textured_scene_is_explained[glowing bitmap]
test_textures.py::test_derivatives_are_those_of_the_image[spot and sky]
test_textures.py::test_derivatives_are_those_of_the_image[textured mirror]
test_textures.py::test_derivatives_are_those_of_the_image[checkerboard]
test_tree.py::test_more_lights_than_bits_of_a_word_each_have_their_shadows
test_textures.py::test_textures_from_outside_the_package
"""
"""Cases that take four seconds and more, most of them to compile."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """They are slow ones."""
    names = set(LONG.split("\n"))
    for item in items:
        name = item.nodeid.removeprefix("tests/")
        if name in names or name.partition("[")[0] in names:
            item.add_marker(pytest.mark.slow)
