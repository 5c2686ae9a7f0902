// alloc N: Vec::with_capacity(N); "memory allocation of N bytes failed", SIGABRT
fn main() {
    let n: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    let mut v: Vec<u8> = Vec::with_capacity(n);
    v.push(1);
    println!("{}", v.len());
}
