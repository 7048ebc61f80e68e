// What the theme and its extensions get wrong for the keyboard and for screen readers.
const each = (selector, mend) => document.querySelectorAll(selector).forEach(mend);

// Code that scrolls must be reachable with the keyboard, also once it is unfolded: the
// theme looks for it only when the page is loaded.
const reachable = ({ target }) => {
  target.tabIndex = target.scrollWidth > target.clientWidth ? 0 : -1;
};
const sizes = new ResizeObserver((entries) => entries.forEach(reachable));

document.addEventListener("DOMContentLoaded", () => {
  // The theme takes the focus from each icon button after a click. Someone who pressed
  // a key would have to start again at the top of the page.
  each(
    ".theme-switch-button, .search-button, .primary-toggle, .secondary-toggle",
    (button) => {
      button.blur = () => {
        if (!button.matches(":focus-visible")) HTMLElement.prototype.blur.call(button);
      };
    },
  );
  // What a button says must be in its name: "Search Ctrl+K", "Show code cell source".
  each(".search-button-field, details > summary", (button) =>
    button.removeAttribute("aria-label"),
  );
  each("summary:has(> .toctree-toggle)", (arrow) => {
    const page = arrow.closest("li").querySelector("a");
    arrow.setAttribute("aria-label", `Pages below ${page.textContent.trim()}`);
  });
  each("article pre", (code) => sizes.observe(code));
  // The entries of the bibliography have a role of their own, and are no list items.
  each(".citation-list[role=list]", (list) => list.removeAttribute("role"));
});
