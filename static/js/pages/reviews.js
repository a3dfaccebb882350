// The list of reviews: says when something new has come, and leaves what one is reading where it is.
import { events } from "../events.js";

const hint = document.getElementById("new-reviews");
for (const type of ["ReviewOpened", "ReviewChanged", "RevisionAdded", "ChangeSetLanded"]) {
  events.on(type, () => hint && (hint.hidden = false));
}
events.onResync(() => location.reload());
