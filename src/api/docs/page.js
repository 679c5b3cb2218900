// Without it the page is whole, and is searched by the browser.
const search = document.getElementById('search');
const found = document.getElementById('found');
const none = document.getElementById('none');
const calls = [...document.querySelectorAll('details.call')].map((call) => ({
  call,
  link: document.querySelector(`nav a[href="#${call.id}"]`).parentElement,
  text: call.textContent.toLowerCase(),
}));
const groups = [...document.querySelectorAll('main section, nav .group')];

function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const { call, link, text } of calls) {
    const isFound = words.every((word) => text.includes(word));
    call.hidden = !isFound;
    link.hidden = !isFound;
    if (isFound) count++;
  }
  for (const group of groups) {
    group.hidden = group.querySelector('details.call:not([hidden]), li:not([hidden])') === null;
  }
  none.hidden = count > 0;
  found.textContent = words.length === 0 ? '' : `${count} of ${calls.length} calls`;
}

function openTarget() {
  const call = document.getElementById(location.hash.slice(1));
  if (!call?.matches('details.call')) return;
  call.open = true;
  call.scrollIntoView();
  call.querySelector('summary').focus({ preventScroll: true });
}

search.addEventListener('input', filter);
document.addEventListener('keydown', (event) => {
  if (event.key === '/' && document.activeElement !== search && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    search.focus();
  } else if (event.key === 'Escape' && document.activeElement === search) {
    search.value = '';
    filter();
  }
});
window.addEventListener('hashchange', openTarget);
document.querySelector('nav').addEventListener('click', (event) => {
  // The same link again changes no hash.
  if (event.target.closest('a')) setTimeout(openTarget);
});
filter();
openTarget();
