// The name of the search button holds the words that are seen on it.
document.addEventListener("DOMContentLoaded", () => {
  for (const button of document.querySelectorAll(".search-button__button")) {
    const seen = button.innerText.replace(/\s+/g, " ").trim();
    if (seen) button.setAttribute("aria-label", seen);
  }
});
