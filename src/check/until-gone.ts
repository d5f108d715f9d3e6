import { dirname } from "node:path";
import type { AwaitedFile } from "./facts.ts";
import type { Finding } from "./finding.ts";

const ABOUT = "drain-until-gone";

/** Whether a drain can see that the proxy before us still runs; a file that cannot be there counts as gone. */
export function checkUntilGone(file: AwaitedFile | undefined): readonly Finding[] {
  if (file === undefined) return [];
  const { path, state } = file;
  switch (state) {
    case "there":
      return [
        { level: "ok", about: ABOUT, text: `${path} is there, and a drain waits for its end` },
      ];
    case "absent":
      return [
        { level: "ok", about: ABOUT, text: `${path} is not there now; a drain would not wait` },
      ];
    case "no directory": {
      const text = `${dirname(path)} does not exist, so the file counts as gone and no drain waits`;
      const change = "mount the volume there in which nginx writes its pid file";
      return [{ level: "fail", about: ABOUT, text, change }];
    }
    case "hidden": {
      const text = `${path} may not be looked at, so a drain waits for its whole grace period`;
      const change = `let us enter ${dirname(path)}`;
      return [{ level: "fail", about: ABOUT, text, change }];
    }
  }
}
