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
test_cli.py::test_fit_prints_nothing_or_json
test_cli.py::test_paths_in_a_fit_file_are_relative_to_it
test_code_cache.py::test_two_processes_share_the_cache
test_degenerate.py::test_forward_and_reverse_mode_agree_for_a_room_that_is_a_ball_and_seen_in_a_mirror
test_degenerate.py::test_forward_and_reverse_mode_agree_where_shapes_coincide
test_documents.py::test_the_first_scene_goes_as_it_is_told
test_edges.py::test_a_rectangle_whose_borders_lie_on_those_of_pixels
test_edges.py::test_a_shadow_seen_in_a_mirror_of_a_mirror
test_edges.py::test_random_scenes_have_finite_derivatives_that_agree_with_differences
test_edges.py::test_shipped_scenes_along_a_random_direction_of_all_their_parameters[mirrors]
test_edges.py::test_the_loss_jumps_by_less_than_a_thousandth_while_a_ball_crosses_a_small_image[-2.0--1.6-40]
test_edges.py::test_two_balls_that_run_through_each_other
test_engines.py::test_jacobian_is_the_same_on_both_engines
test_engines.py::test_scene_is_the_same_on_both_engines[still_life]
test_engines.py::test_scene_is_the_same_on_both_engines[workshop]
test_engines.py::test_the_graph_holds_the_ops_of_kernels_and_no_kernel[still_life-size0-exact]
test_engines.py::test_the_graph_holds_the_ops_of_kernels_and_no_kernel[tiny-None-exact]
test_examples.py::test_every_gradient_method_keeps_bounds_and_ends_at_the_truth[CG]
test_examples.py::test_every_gradient_method_keeps_bounds_and_ends_at_the_truth[Newton-CG]
test_examples.py::test_every_gradient_method_keeps_bounds_and_ends_at_the_truth[trust-constr]
test_explain_graph.py::test_the_command_line
test_explain_page.py::test_a_dark_pixel_says_why_it_is_zero
test_explain_page.py::test_a_graph_of_many_nodes_is_folded_and_says_so
test_explain_page.py::test_a_graph_of_operations_is_folded_to_its_named_steps
test_explain_page.py::test_wide_vectors_say_what_they_are
test_extending.py::test_a_program_draws_its_picture_and_its_derivative_is_right[beam]
test_extending.py::test_a_program_draws_its_picture_and_its_derivative_is_right[ellipsoid]
test_extending.py::test_a_program_draws_its_picture_and_its_derivative_is_right[glow]
test_extending.py::test_a_program_draws_its_picture_and_its_derivative_is_right[shaded_bulb]
test_extending.py::test_a_program_draws_its_picture_and_its_derivative_is_right[stripes]
test_fit.py::test_a_fit_that_was_cut_off_ends_at_the_same_bits[2]
test_fit.py::test_a_fit_that_was_cut_off_ends_at_the_same_bits[9]
test_fit.py::test_a_robust_loss_does_not_follow_outliers[huber]
test_fit.py::test_a_robust_loss_does_not_follow_outliers[soft_l1]
test_fit.py::test_a_wrong_turn_on_the_coarsest_level_is_taken_back
test_fit.py::test_ctrl_c_ends_a_fit_from_many_starts
test_fit.py::test_many_starts_find_what_one_may_miss
test_fit.py::test_processes_of_this_machine_do_the_work_and_a_resumed_fit_does_not_repeat_it
test_fit_few_pixels.py::test_errors_of_a_spot_before_a_patch_that_the_model_does_not_know
test_fit_folder.py::test_a_running_fit_says_how_long_it_took_and_after_three_evaluations_how_long_it_takes
test_fit_robust.py::test_a_robust_fit_that_was_cut_off_or_is_folded_elsewhere_ends_at_the_same_bits
test_fit_trust.py::test_lights_beside_a_stain_on_the_ball_are_as_far_off_as_their_errors_say
test_fit_views.py::test_a_table_may_name_the_files_and_what_a_fit_writes_is_one
test_front.py::test_an_explanation_by_a_vector_is_that_by_its_numbers
test_front.py::test_an_explanation_holds_the_derivative_and_its_paths
test_front.py::test_an_explanation_of_a_scene_with_vars_is_that_of_its_numbers
test_jax.py::test_settings_are_passed_on
test_jax.py::test_the_gradient_is_that_of_the_image_with_its_edges[jit]
test_lecture.py::test_a_factor_that_is_missing_in_the_edge_term_is_told
test_lecture.py::test_example[pixel]
test_lights.py::test_silhouettes_before_a_background_have_derivatives
test_marking_derivations.py::test_what_is_suggested_can_be_copied_into_a_formula_and_is_what_was_given
test_materials.py::test_the_derivative_by_every_number_of_a_material_and_of_its_place
test_plugin.py::test_code_is_kept_and_a_changed_script_is_not_mistaken_for_the_old_one
test_plugin.py::test_the_rim_between_the_two_sides_is_an_edge
test_render.py::test_derivative_by_every_parameter_agrees_with_differences_where_no_edge_moves[mirrors]
test_render.py::test_reverse_mode_agrees_with_forward_mode[gallery]
test_render.py::test_reverse_mode_agrees_with_forward_mode[tiles]
test_shapes.py::test_both_engines_and_both_modes_agree
test_shapes.py::test_from_inside_too[cone]
test_shapes.py::test_in_a_mirror_too
test_textures.py::test_a_pixel_of_a_textured_scene_is_explained[glowing bitmap]
test_textures.py::test_derivatives_are_those_of_the_image[bitmap]
test_textures.py::test_derivatives_are_those_of_the_image[checkerboard]
test_textures.py::test_derivatives_are_those_of_the_image[spot and sky]
test_textures.py::test_derivatives_are_those_of_the_image[textured mirror]
test_textures.py::test_textures_from_outside_the_package
test_tree.py::test_more_lights_than_bits_of_a_word_each_have_their_shadows
"""
"""Cases that take four seconds and more, most of them to compile or to start processes."""


LONGEST = (
    "test_torch.py::test_a_network_learns",
    "test_certificate.py::test_no_error_is_larger",
    "test_fit_uncertainty.py::test_intervals_hold",
)
"""Cases of minutes. They come first, so that no worker is alone with one of them in the end."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Long ones are slow ones, and the longest come first."""
    names = set(LONG.split("\n"))
    for item in items:
        name = item.nodeid.removeprefix("tests/")
        if name in names or name.partition("[")[0] in names:
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: not any(name in item.nodeid for name in LONGEST))
