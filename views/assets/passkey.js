// Opens the browser's own passkey dialogue for the forms that ask for it, and posts its answer with them. Pages are complete
// without it; where passkeys cannot be used, their forms stay hidden.
const { browserSupportsWebAuthn, browserSupportsWebAuthnAutofill, startAuthentication, startRegistration } =
  globalThis.SimpleWebAuthnBrowser;

const forms = document.querySelectorAll('form[data-passkey]');

async function send(form, options) {
  const ask = form.dataset.passkey === 'add' ? startRegistration : startAuthentication;
  const answer = await ask({ optionsJSON: JSON.parse(form.dataset.options), ...options });
  form.elements.passkey.value = JSON.stringify(answer);
  form.submit();
}

/** Offers passkeys where the username is typed. */
async function offerWhileTyping(form) {
  const username = document.getElementById('username');
  if (username === null || !(await browserSupportsWebAuthnAutofill())) return;
  username.autocomplete = 'username webauthn';
  // Until somebody chooses one, nothing happens; and a press of the button takes its place.
  await send(form, { useBrowserAutofill: true }).catch(() => {});
}

/** Answers a press of the form's button. */
async function open(form) {
  const trouble = form.querySelector('.passkey-trouble');
  trouble.hidden = true;
  try {
    await send(form);
  } catch (fault) {
    // Another press took the place of this one, and is still under way.
    if (fault.code === 'ERROR_CEREMONY_ABORTED') return;
    trouble.hidden = false;
    if (form.dataset.conditional !== undefined) await offerWhileTyping(form);
  }
}

if (browserSupportsWebAuthn()) {
  for (const form of forms) {
    form.hidden = false;
    // What is hidden while the page loads is not given the focus by itself.
    form.querySelector('[autofocus]')?.focus();
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      open(form);
    });
    if (form.dataset.conditional !== undefined) offerWhileTyping(form);
  }
}
