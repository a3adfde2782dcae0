/* Passkeys: buttons that ask the browser for one and put its answer into their form, then submit it.
   <button data-passkey="get|create" data-options="{...}"> in a form with a hidden field `passkey`. Hidden where the browser has none. */
(function () {
  "use strict";
  const bytes = function (text) {
    return Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), function (c) { return c.charCodeAt(0); });
  };
  const text = function (buffer) {
    return btoa(String.fromCharCode.apply(null, new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  };
  const listed = function (credentials) {
    return (credentials || []).map(function (one) { return Object.assign({}, one, { id: bytes(one.id) }); });
  };
  async function ask(kind, options) {
    options.challenge = bytes(options.challenge);
    if (kind === "create") {
      options.user.id = bytes(options.user.id);
      options.excludeCredentials = listed(options.excludeCredentials);
      return navigator.credentials.create({ publicKey: options });
    }
    options.allowCredentials = listed(options.allowCredentials);
    return navigator.credentials.get({ publicKey: options });
  }
  function answerOf(credential) {
    const given = credential.response, response = { clientDataJSON: text(given.clientDataJSON) };
    if (given.attestationObject) response.attestationObject = text(given.attestationObject);
    if (given.authenticatorData) response.authenticatorData = text(given.authenticatorData);
    if (given.signature) response.signature = text(given.signature);
    if (given.userHandle) response.userHandle = text(given.userHandle);
    return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response: response, clientExtensionResults: {} });
  }
  document.querySelectorAll("[data-passkey]").forEach(function (button) {
    if (!window.PublicKeyCredential) return;
    button.hidden = false;
    button.addEventListener("click", async function () {
      button.disabled = true;
      try {
        const credential = await ask(button.dataset.passkey, JSON.parse(button.dataset.options));
        button.form.elements.passkey.value = answerOf(credential);
        button.form.noValidate = true;
        button.form.requestSubmit();
      } catch (failure) {
        window.brigadewatch.announce("The passkey was not used.");
        const place = document.getElementById(button.dataset.says);
        if (place) place.textContent = "The passkey was not used: " + failure.message;
      } finally {
        button.disabled = false;
      }
    });
  });
})();
