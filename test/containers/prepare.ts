/** `node test/containers/prepare.ts`: makes the images that tests in containers use, unless they are there. */
import { prepareImages } from "../helpers/containers.ts";

await prepareImages();
