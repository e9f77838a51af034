export { createElement, useState, useEffect, useRef, StrictMode } from "react";
export { createRoot } from "react-dom/client";
