import { computed, effect, signal } from '@preact/signals';

export type Theme = 'system' | 'light' | 'dark';

const name = 'millrace.theme';
const wantsDark = matchMedia('(prefers-color-scheme: dark)');
const systemIsDark = signal(wantsDark.matches);

export const theme = signal<Theme>(readTheme());
export const isDark = computed(() =>
  theme.value === 'system' ? systemIsDark.value : theme.value === 'dark',
);

wantsDark.addEventListener('change', ({ matches }) => {
  systemIsDark.value = matches;
});

effect(() => {
  document.documentElement.dataset.theme = isDark.value ? 'dark' : 'light';
  localStorage.setItem(name, theme.value);
});

function readTheme(): Theme {
  const kept = localStorage.getItem(name);
  return kept === 'light' || kept === 'dark' ? kept : 'system';
}
