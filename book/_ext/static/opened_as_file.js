// A page that was opened as a file: browsers load no modules there, so no figure can move. This
// script is none, and shows what stands for the figures where scripts are off, and why.

if (location.protocol === "file:") {
  addEventListener("DOMContentLoaded", () => {
    const notice = document.createElement("p");
    notice.className = "llmlab-noscript";
    notice.setAttribute("role", "note");
    notice.textContent = "You opened this page as a file. A browser lets no figure move there, no quiz "
      + "answer and no exercise check. In the folder of the book, make serve shows it whole.";
    document.querySelector("article.bd-article").prepend(notice);
    for (const words of document.querySelectorAll("article noscript")) {
      const shown = document.createElement("div");
      shown.innerHTML = words.textContent;
      words.replaceWith(shown);
    }
  });
}
