// Says how wide the window is, before Superset asks for the page: the server arranges its charts accordingly.
const narrow = matchMedia("(max-width: 1023px)");
const say = () => { document.cookie = `narrow=${narrow.matches ? 1 : 0};path=/;samesite=lax;max-age=31536000`; };
say();
narrow.addEventListener("change", () => {
  say();
  if (location.pathname.startsWith("/superset/dashboard/")) location.reload();
});

const notice = document.querySelector("meta[name=notice]");
if (notice) {
  addEventListener("DOMContentLoaded", () => {
    const line = document.createElement("p");
    line.className = "notice";
    line.setAttribute("role", "status");
    line.textContent = notice.content;
    document.body.prepend(line);
  });
}
