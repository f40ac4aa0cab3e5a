// Says how wide the window is, before Superset asks for the page: the server arranges its charts accordingly.
const narrow = matchMedia("(max-width: 1023px)");
const say = () => { document.cookie = `narrow=${narrow.matches ? 1 : 0};path=/;samesite=lax;max-age=31536000`; };
say();
narrow.addEventListener("change", () => {
  say();
  if (location.pathname.startsWith("/superset/dashboard/")) location.reload();
});
