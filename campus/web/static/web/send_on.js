// Sends the form of a page that only passes on what came from elsewhere.
document.querySelector('form[data-send-on]').requestSubmit();
