// Creating a workspace from an archive: how far the upload is, and a way to stop it. Without this script the form works too.
const MB = 1024 * 1024;
const notify = (text) => window.dispatchEvent(new CustomEvent("pa:notify", { detail: { text, level: "warn" } }));

function progress(form) {
  const box = form.querySelector("#upload");
  const bar = box.querySelector("progress");
  const words = box.querySelector("#upload-words");
  const submit = form.querySelector('button[type="submit"]');
  return {
    cancel: box.querySelector("#upload-cancel"),
    setBusy(isBusy) {
      box.hidden = !isBusy;
      submit.disabled = isBusy;
    },
    show(text, share) {
      words.textContent = text;
      bar.value = share;
    },
  };
}

// Made: the reply is the workspace's page. Refused: it is this form with what is wrong.
function take(request) {
  if (new URL(request.responseURL).pathname !== location.pathname) return location.assign(request.responseURL);
  const answer = new DOMParser().parseFromString(request.responseText, "text/html").getElementById("main");
  if (!answer) return notify(`The server answered ${request.status}. Nothing was created.`);
  document.getElementById("main").replaceWith(answer);
  answer.querySelector('[role="alert"]')?.scrollIntoView({ block: "center" });
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  const file = form.elements.archive?.files[0];
  if (!file) return;
  event.preventDefault();
  const request = new XMLHttpRequest();
  const shown = progress(form);
  const end = (text) => {
    shown.setBusy(false);
    if (text) notify(text);
  };
  request.upload.onprogress = ({ loaded, total }) => {
    if (loaded < total) shown.show(`Uploading ${file.name}: ${(loaded / MB).toFixed(1)} of ${(total / MB).toFixed(1)} MB`, loaded / total);
    else shown.show("Uploaded. The server takes it in …", 1);
  };
  request.onload = () => {
    end();
    take(request);
  };
  request.onerror = () => end("The server cannot be reached. Nothing was created; try again.");
  request.onabort = () => end("The upload was stopped. Nothing was created.");
  shown.cancel.onclick = () => request.abort();
  shown.show(`Uploading ${file.name} …`, 0);
  shown.setBusy(true);
  request.open("POST", form.action);
  request.send(new FormData(form));
});
