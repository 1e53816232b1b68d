import { fileURLToPath } from 'node:url'
import tailwindcss from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// `npm run dev` serves the page beside a runtime: MUSTER_ADDRESS, or the default address.
const runtime = process.env['MUSTER_ADDRESS'] ?? 'http://127.0.0.1:50051'

export default defineConfig({
  plugins: [react(), tailwindcss()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  worker: { format: 'es' },
  build: {
    target: 'es2022',
    // The content security policy forbids inline code and data.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    chunkSizeWarningLimit: 900,
  },
  server: {
    proxy: Object.fromEntries(
      ['/runtime.v1.', '/v1', '/login'].map((path) => [
        path,
        {
          target: runtime,
          changeOrigin: true,
          // The runtime answers only pages of its own origin.
          configure: (proxy) =>
            proxy.on('proxyReq', (request) => request.setHeader('origin', runtime)),
        },
      ]),
    ),
  },
})
