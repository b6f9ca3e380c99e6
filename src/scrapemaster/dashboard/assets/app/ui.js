// What every component is made with.
import { Fragment, createContext, h, render } from "../vendor/preact.js";
import htm from "../vendor/htm.js";

export { Fragment, createContext, h, render };
export {
  useCallback, useContext, useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState,
} from "../vendor/hooks.js";

/** Templates: tagged literals instead of JSX, so that files run as they are written. Text put into them is escaped. */
export const html = htm.bind(h);
