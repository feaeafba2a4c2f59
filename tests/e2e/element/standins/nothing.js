// A module of Node that no code here calls.
export default {};
