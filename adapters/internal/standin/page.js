setInterval(() => {
  const typing = document.querySelector("[name=text]");
  if (!typing?.value && !document.querySelector("details[open]")) location.reload();
}, 5000);
