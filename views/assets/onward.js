// Spares a press: the page works without it.
document.getElementById('onward').submit();
