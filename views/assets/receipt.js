// Keeps an open receipt up to date. The page is complete without it: a browser without script reloads itself.
const RELOAD_AFTER_MS = 5000;

const receipt = document.getElementById('receipt');
const announced = document.getElementById('receipt-status');

if (receipt.dataset.done !== 'true') {
  const events = new EventSource(receipt.dataset.events);

  events.addEventListener('receipt', (event) => {
    // Rendered by our own server from the same template as the page; every text in it is escaped there.
    receipt.innerHTML = event.data;
    const status = receipt.querySelector('[data-status]').textContent;
    // Said only when it changed: a screen reader should not hear the whole receipt at every notice.
    if (announced.textContent !== status) announced.textContent = status;
  });

  events.addEventListener('done', () => events.close());

  events.addEventListener('error', () => {
    events.close();
    setTimeout(() => location.reload(), RELOAD_AFTER_MS);
  });
}
