"""A passkey from end to end: enrolled in the browser, and then the only thing that is needed to sign in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import CDPSession, expect

from tests.browser.conftest import Person
from tests.framework.stack import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


class Key:
    """A device that holds passkeys, as Chromium simulates one: CTAP 2, with a fingerprint that is always right."""

    def __init__(self, session: CDPSession) -> None:
        self._session = session
        session.send("WebAuthn.enable")
        made = session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        self._id = {"authenticatorId": made["authenticatorId"]}

    def passkeys(self) -> list[dict[str, object]]:
        return self._session.send("WebAuthn.getCredentials", self._id)["credentials"]


@pytest.fixture
def ada(people: list[Person]) -> Iterator[Person]:
    yield people[0]
    assert people[0].complaints == []


def sign_out(person: Person) -> None:
    person.go("/")
    person.page.get_by_role("button", name="You and settings").click()
    person.page.get_by_role("button", name="Sign out").click()
    person.go("/")
    person.page.wait_for_url("**/accounts/login/**")


def test_a_passkey_is_enrolled_and_signs_in_alone(ada: Person) -> None:
    key = Key(ada.context.new_cdp_session(ada.page))
    ada.sign_in()
    ada.go("/accounts/2fa/")
    keys = ada.page.locator("section", has=ada.page.get_by_role("heading", name="Security Keys"))
    keys.get_by_role("link", name="Add").click()
    ada.page.get_by_label("Password").fill(
        PASSWORD
    )  # whoever finds the browser open cannot add a key of their own
    ada.page.get_by_role("button", name="Confirm").click()
    ada.page.get_by_label("Name").fill("My laptop")
    ada.page.get_by_label("Passwordless").check()
    ada.page.get_by_role("button", name="Add", exact=True).click()
    expect(ada.page.get_by_role("heading", name="Recovery Codes")).to_be_visible()
    (enrolled,) = key.passkeys()
    assert (enrolled["isResidentCredential"], enrolled["rpId"]) == (True, "localhost")
    ada.go("/accounts/2fa/webauthn/")
    expect(ada.page.get_by_text("My laptop")).to_be_visible()

    sign_out(ada)
    ada.page.get_by_role("button", name="Sign in with a passkey").click()
    ada.page.wait_for_url(ada.stack.url + "/")
    ada.page.get_by_role("button", name="You and settings").click()
    expect(ada.page.get_by_role("link", name=ada.email.partition("@")[0].title())).to_be_visible()
    (used,) = key.passkeys()
    assert int(str(used["signCount"])) > int(str(enrolled["signCount"]))
