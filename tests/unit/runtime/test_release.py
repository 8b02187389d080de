"""What a service says it runs."""

from gpt_trader.runtime.release import release_of


def test_services_of_one_release_say_the_same_and_it_is_their_version_and_their_contracts() -> None:
    version, _, contracts = release_of("strategy").partition("+")

    assert release_of("strategy") == release_of("risk-gate") == release_of("executor")
    assert version[0].isdigit()
    assert len(contracts) == 12


def test_what_is_not_installed_has_no_version() -> None:
    assert release_of("nothing").startswith("0+")
