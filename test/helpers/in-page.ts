/** What tests ask of a page from inside. These functions are sent to the browser, so each holds all it needs. */
import type { Page } from "playwright-core";

/** The little of the DOM that is used here: the tests are not checked with its types. */
interface PageElement {
  readonly textContent: string;
  readonly parentElement: PageElement | null;
  readonly childNodes: Iterable<{ readonly nodeType: number; readonly textContent: string | null }>;
  readonly scrollWidth: number;
  readonly clientWidth: number;
  checkVisibility(): boolean;
  getBoundingClientRect(): { readonly width: number };
  querySelectorAll(selector: string): Iterable<PageElement>;
}
declare const document: {
  readonly body: PageElement;
  readonly documentElement: PageElement;
  dispatchEvent(event: Event): boolean;
  getAnimations(): readonly unknown[];
};
declare class MutationObserver {
  constructor(onChange: () => void);
  observe(target: PageElement, what: Readonly<Record<string, boolean>>): void;
}
declare function getComputedStyle(element: PageElement): {
  readonly color: string;
  readonly backgroundColor: string;
};

/** A text of a page and how well it stands out from what is behind it, from 1 to 21. */
export interface TextContrast {
  readonly text: string;
  readonly ratio: number;
}

/** Measures every visible text of a page, as WCAG 2 does. */
export function measureContrast(page: Page): Promise<TextContrast[]> {
  return page.evaluate(() => {
    const TEXT_NODE = 3;
    const channels = (color: string): number[] => (color.match(/[\d.]+/g) ?? []).map(Number);
    const luminance = (color: string): number => {
      const [red = 0, green = 0, blue = 0] = channels(color).map((value) => {
        const part = value / 255;
        return part <= 0.040_45 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const backgroundOf = (element: PageElement | null): string => {
      if (element === null) return "rgb(255, 255, 255)";
      const { backgroundColor } = getComputedStyle(element);
      const isClear = channels(backgroundColor)[3] === 0;
      return isClear ? backgroundOf(element.parentElement) : backgroundColor;
    };
    const hasText = ({ childNodes }: PageElement): boolean =>
      [...childNodes].some((node) => node.nodeType === TEXT_NODE && node.textContent?.trim());
    const isShown = (element: PageElement): boolean =>
      element.checkVisibility() && element.getBoundingClientRect().width > 1;
    return [...document.body.querySelectorAll("*")]
      .filter((element) => hasText(element) && isShown(element))
      .map((element) => {
        const one = luminance(getComputedStyle(element).color);
        const other = luminance(backgroundOf(element));
        const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        return { text: element.textContent.trim(), ratio };
      });
  });
}

/** How many pixels of a page are beyond the right edge of the window. */
export function overflowOf(page: Page): Promise<number> {
  return page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
}

/** Makes a page believe that its tab was hidden, or shown: without a window there is no other tab. */
export async function setHidden(page: Page, hidden: boolean): Promise<void> {
  await page.evaluate((value) => {
    Object.defineProperty(document, "hidden", { configurable: true, value });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
}

/** The colour behind everything. */
export function backgroundOf(page: Page): Promise<string> {
  return page.evaluate(() => getComputedStyle(document.body).backgroundColor);
}

/** How many animations run. */
export function animationsOf(page: Page): Promise<number> {
  return page.evaluate(() => document.getAnimations().length);
}

/** Watches every change of a page; the function it resolves with tells the negative numbers that were shown since. */
export async function watchForNegatives(page: Page): Promise<() => Promise<string[]>> {
  const seen = await page.evaluateHandle(() => {
    const found: string[] = [];
    const observer = new MutationObserver(() => {
      const figures = [...document.body.querySelectorAll("td, dd b")].map((one) => one.textContent);
      found.push(...figures.filter((text) => /^[-\u2212]\d/.test(text)));
    });
    observer.observe(document.body, { subtree: true, childList: true, characterData: true });
    return found;
  });
  return () => seen.jsonValue();
}
