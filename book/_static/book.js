// What the theme's scripts get wrong for the keyboard and for readers of screens.
document.addEventListener("DOMContentLoaded", () => {
  // The theme takes the focus from each icon button after a click. Someone who pressed
  // a key would have to start again at the top of the page.
  for (const button of document.querySelectorAll(
    ".theme-switch-button, .search-button, .primary-toggle, .secondary-toggle",
  )) {
    button.blur = () => {
      if (!button.matches(":focus-visible")) HTMLElement.prototype.blur.call(button);
    };
  }
  // What a button says must be in its name: "Search Ctrl+K".
  for (const button of document.querySelectorAll(".search-button-field")) {
    button.removeAttribute("aria-label");
  }
});

// The theme measures on resizing which code can be scrolled, and so must be reachable
// with the keyboard. Unfolded code has to be measured, too.
document.addEventListener("toggle", () => window.dispatchEvent(new Event("resize")), true);
